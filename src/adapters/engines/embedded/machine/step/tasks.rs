//! Jobs and user tasks, as their definitions come out for one visit.

use super::super::model::{Element, JobDefinition, UserTaskDefinition};
use super::incidents::Failure;
use super::run::Run;
use super::{Change, UserTask};

/// How many tries a job has where the model says nothing.
const RETRIES: u32 = 3;

impl Run<'_> {
    /// A job with a key, for the element that is active under `at`.
    pub(super) fn job(
        &self,
        key: u64,
        at: u64,
        element: &Element,
        definition: &JobDefinition,
    ) -> Result<Change, Failure> {
        let retries = match &definition.retries {
            None => RETRIES,
            Some(expression) => match self.integer(at, element, Some(expression))? {
                None => RETRIES,
                Some(number) => u32::try_from(number)
                    .ok()
                    .filter(|retries| *retries > 0)
                    .ok_or_else(|| Failure::useless(&element.id, expression, "a job needs 1 or more retries"))?,
            },
        };
        Ok(Change::JobCreated {
            key,
            element_id: element.id.clone(),
            topic: self.name(at, element, &definition.topic)?,
            retries,
            headers: definition.headers.clone(),
        })
    }

    pub(super) fn user_task(
        &self,
        key: u64,
        element: &Element,
        definition: &UserTaskDefinition,
    ) -> Result<UserTask, Failure> {
        Ok(UserTask {
            key,
            element_id: element.id.clone(),
            name: self.optional_text(key, element, definition.name.as_ref())?.unwrap_or_else(|| element.id.clone()),
            assignee: self.optional_text(key, element, definition.assignee.as_ref())?,
            candidate_users: self.list(key, element, definition.candidate_users.as_ref())?,
            candidate_groups: self.list(key, element, definition.candidate_groups.as_ref())?,
            due: self.date(key, element, definition.due.as_ref())?,
            follow_up: self.date(key, element, definition.follow_up.as_ref())?,
            priority: self.integer(key, element, definition.priority.as_ref())?,
            form_key: self.optional_text(key, element, definition.form_key.as_ref())?,
        })
    }
}
