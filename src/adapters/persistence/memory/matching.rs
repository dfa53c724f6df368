//! Which messages fit which subscriptions (the rules of `SubscriptionQuery`).

use crate::domain::text::Key;

/// By what a waiting element is found, or a waiting message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MatchedBy {
    /// By the name alone.
    Name,
    /// By a correlation key (Zeebe's dialect).
    Correlation(String),
    /// By the instance's business key (Camunda's dialect).
    Business(String),
}

impl MatchedBy {
    /// How a subscription with these keys is met; `None`: by its name alone.
    pub(super) fn of_subscription(correlation: Option<&str>, business: Option<&Key>) -> Option<Self> {
        match (correlation, business) {
            (Some(key), _) => Some(Self::Correlation(key.to_owned())),
            (None, Some(key)) => Some(Self::Business(key.as_str().to_owned())),
            (None, None) => None,
        }
    }

    /// What a message with these keys meets.
    pub(super) fn of_message(correlation: Option<&Key>, business: Option<&Key>) -> Vec<Self> {
        let correlation = correlation.map(|key| Self::Correlation(key.as_str().to_owned()));
        let business = business.map(|key| Self::Business(key.as_str().to_owned()));
        let keys: Vec<_> = correlation.into_iter().chain(business).collect();
        if keys.is_empty() { vec![Self::Name] } else { keys }
    }
}
