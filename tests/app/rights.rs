//! Never more than ceiling and grant; and what is taken away never adds a right (authentication.md section 3).

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;
use tidegate::{
    adapters::http::{Asked, Document, explain},
    domain::{identity::Identity, issuer::Provision, rights::Rights, scope::Scope},
};

use super::world::{World, workspace};
use crate::support::{
    people::{TestIssuer, person, policy},
    rights::{Bound, Made, PLACES, all_rights, made, reach, scopes},
};

/// The operations of the document that scopes decide, with these.
fn operations() -> Vec<(String, Vec<Scope>)> {
    let document = Document::generate();
    let paths = document.value()["paths"].as_object().unwrap().clone();
    let of_path = |(path, verbs): (String, Value)| {
        verbs.as_object().unwrap().clone().into_iter().map(move |(verb, operation)| {
            let scopes = operation["x-required-scopes"].as_array().cloned().unwrap_or_default();
            let scopes = scopes.iter().map(|scope| scope.as_str().unwrap().parse().unwrap()).collect();
            (format!("{} {path}", verb.to_uppercase()), scopes)
        })
    };
    paths.into_iter().flat_map(of_path).collect()
}

proptest! {
    #[test]
    fn rights_are_what_the_contract_says_and_less_of_anything_is_less(made in made()) {
        let rights = made.rights();
        let held = all_rights(&rights);
        for scope in Scope::ALL {
            for place in PLACES {
                prop_assert_eq!(held.contains(&(*scope, place)), made.may(*scope, place), "{} in {}", scope, place);
                prop_assert_eq!(rights.where_may(*scope).contains(&workspace(place)), made.may(*scope, place));
            }
        }
        for less in made.lessened() {
            prop_assert!(all_rights(&less.rights()).is_subset(&held), "{less:?}");
        }
    }

    #[test]
    fn a_persons_token_never_has_more_than_its_own_nor_than_its_person(
        owner in made(), scopes in scopes(), places in reach(),
    ) {
        let cut = |owner: &Made| {
            let own = Rights::stated(scopes.clone(), places.access());
            own.cut_to_owner(&owner.belonging(), &owner.defaults.access(), &owner.most)
        };
        let held = all_rights(&cut(&owner));
        let stated = Made { ceiling: Bound::Stated(scopes.clone()), named: None, ..owner.clone() };
        for (scope, place) in &held {
            prop_assert!(scopes.contains(scope) && places.has(place) && stated.may(*scope, place), "{scope} in {place}");
        }
        for less in owner.lessened() {
            prop_assert!(all_rights(&cut(&less)).is_subset(&held), "{less:?}");
        }
    }
}

#[test]
fn no_operation_is_let_through_that_rights_do_not_cover() {
    let world = World::of(|parts| TestIssuer::default().join(parts, policy(Provision::User)));
    let people = &world.app().people;
    let operations = operations();
    let allowed = |made: &Made| -> BTreeSet<(&str, &str)> {
        let who = Identity { rights: made.rights(), ..person("ada") };
        let pairs = operations.iter().flat_map(|(operation, _)| PLACES.map(|place| (operation.as_str(), place)));
        let is_allowed = |(operation, place): &(&str, &str)| {
            // The workspace of these stands in their path.
            let asked: Asked = operation.replace("/workspaces/{id}", &format!("/workspaces/{place}")).parse().unwrap();
            explain(people, &who, &asked, Some(&workspace(place))).allowed
        };
        pairs.filter(is_allowed).collect()
    };
    proptest!(ProptestConfig::with_cases(16), |(made in made())| {
        let let_through = allowed(&made);
        for (operation, place) in &let_through {
            let (_, scopes) = operations.iter().find(|(known, _)| known == operation).unwrap();
            let covered = scopes.iter().all(|scope| made.may(*scope, place));
            let least = if operation.starts_with("GET") { Scope::WorkflowsRead } else { Scope::WorkflowsWrite };
            let by_role = operation.contains("/members") && made.sees_to_members(place, least);
            prop_assert!(covered || by_role || *operation == "POST /api/workspaces", "{operation} in {place}");
        }
        for less in made.lessened() {
            prop_assert!(allowed(&less).is_subset(&let_through), "{less:?}");
        }
    });
}
