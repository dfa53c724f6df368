use super::*;

fn entry(second: i64, address: &str, request: &str) -> NewAuditEntry {
    NewAuditEntry {
        time: Timestamp::from_second(second).unwrap(),
        identity: anonymous(),
        action: action::AUTH_FAILURE,
        target: None,
        workspace: None,
        outcome: AuditOutcome::Refused,
        code: Some("auth.invalid_token".into()),
        ip: Some(address.parse().unwrap()),
        request_id: Some(request.into()),
        count: 1,
    }
}

fn total(entries: &[NewAuditEntry]) -> u64 {
    entries.iter().map(|entry| entry.count).sum()
}

#[test]
fn of_a_flood_the_first_are_entered_singly_and_the_rest_are_counted() {
    let mut state = State::default();
    for number in 0..1_000 {
        state.note(5, entry(number / 100, "192.0.2.1", "r"));
    }
    let singles = state.take(|_| false);
    assert_eq!((singles.len(), total(&singles)), (5, 5));
    let rest = state.take(|_| true);
    assert_eq!((rest.len(), total(&rest)), (1, 995));
    assert_eq!((rest[0].request_id.as_deref(), rest[0].time), (None, Timestamp::from_second(9).unwrap()));
}

#[test]
fn each_interval_begins_anew() {
    let mut state = State::default();
    for minute in 0..3 {
        for _ in 0..2 {
            state.note(1, entry(minute * 60, "192.0.2.1", "r"));
        }
        let taken = state.take(|_| true);
        assert_eq!((taken.len(), total(&taken)), (2, 2), "one singly, one gathered");
    }
    for minute in 3..6 {
        state.note(1, entry(minute * 60, "192.0.2.1", "r"));
    }
    assert_eq!(state.take(|_| false).len(), 3, "one a minute is no flood");
}

#[test]
fn addresses_are_told_apart_and_of_ipv6_their_networks() {
    let mut state = State::default();
    for address in ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"] {
        state.note(1, entry(0, address, "r"));
    }
    assert_eq!(state.take(|_| false).len(), 4);
}

#[test]
fn too_many_sources_are_counted_together_and_exactly() {
    let mut state = State::default();
    let many = u32::try_from(SOURCES).unwrap() + 1_000;
    for number in 0..many {
        let address = std::net::Ipv4Addr::from_bits(number).to_string();
        state.note(5, entry(0, &address, "r"));
    }
    assert_eq!(state.sources.len(), SOURCES);
    let entries = state.take(|_| true);
    assert_eq!((total(&entries), entries.len()), (u64::from(many), SOURCES + 1));
    let others: Vec<_> = entries.iter().filter(|entry| entry.ip.is_none()).collect();
    assert_eq!((others.len(), others[0].count), (1, 1_000));
}

#[test]
fn what_could_not_be_written_is_kept_and_bounded() {
    let mut state = State::default();
    for number in 0..4_000 {
        let address = std::net::Ipv4Addr::from_bits(number).to_string();
        for _ in 0..4 {
            state.note(5, entry(0, &address, "r"));
        }
    }
    let entries = state.take(|_| false);
    let before =
        total(&entries) + state.sources.values().filter_map(|flood| Some(flood.rest.as_ref()?.count)).sum::<u64>();
    state.put_back(entries);
    assert!(state.waiting.len() <= WAITING);
    assert_eq!((total(&state.take(|_| true)), before), (16_000, 16_000));
}
