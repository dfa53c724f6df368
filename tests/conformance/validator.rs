//! What validators of JWTs owe: the public suite (`tidegate::conformance::validator`) on every kind of issuer, and beside it
//! what only we promise.

mod algorithms;
mod forgeries;
mod issuers;
mod key_sets;
mod key_sets_under_fire;
mod kinds;
mod mint;
mod opaque;
mod own;
mod remembered;

use tidegate::{
    adapters::auth::jwt::Algorithm,
    conformance::validator::{self, Subject},
};

/// Makes one test per case per kind of issuer.
macro_rules! suite {
    ($($case:ident),+ $(,)?) => {
        $(async fn $case(subject: Subject) {
            let kept = validator::$case(&subject).await;
            assert!(kept.is_ok(), "{kept:?}");
        })+

        crate::conformance::conformance!({ $($case),+ } on {
            secret => kinds::secret(),
            fixed_keys => kinds::fixed_keys(),
            secret_and_rsa_keys => kinds::secret_and_rsa_keys(),
            secret_and_ec_keys => kinds::secret_and_ec_keys(),
            remote_keys => kinds::remote_keys(),
            oidc => kinds::oidc(Algorithm::Rs256),
            oidc_with_ec_keys => kinds::oidc(Algorithm::Es384),
            workos => kinds::workos(),
        });

        #[test]
        fn the_whole_suite_is_run() {
            let all: Vec<_> = validator::CASES.iter().map(|(name, _)| *name).collect();
            assert_eq!(all, [$(stringify!($case)),+]);
        }
    };
}

suite! {
    a_good_token_names_its_caller,
    a_shape_is_recognized_by_itself,
    a_wrong_signature_is_refused,
    an_unsigned_token_is_refused,
    an_algorithm_is_spelled_exactly,
    a_public_key_is_no_secret,
    a_key_is_known_by_its_id,
    a_key_in_the_header_is_not_looked_at,
    a_header_may_name_its_type,
    a_header_has_nothing_that_changes_what_is_signed,
    encrypted_and_nested_tokens_are_refused,
    a_name_comes_once,
    a_token_is_spelled_in_one_way,
    a_long_token_is_not_read,
    the_issuer_is_judged,
    the_audience_is_judged,
    a_token_without_an_end_is_refused,
    what_is_no_time_is_refused,
    fractions_of_seconds_count,
    what_is_not_yet_valid_is_refused,
    a_life_longer_than_allowed_is_refused,
    a_subject_is_a_text_that_is_not_empty,
    a_refusal_names_only_who_signed,
    a_token_shows_up_nowhere,
    an_expired_token_is_refused,
}
