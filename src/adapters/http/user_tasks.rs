//! Tag `user tasks`: what waits for people.

use std::sync::Arc;

use jiff::Timestamp;
use poem_openapi::OpenApi;

use super::{
    answers::{NoContent, Ok200},
    body::Body,
    conditions::Who,
    failed_engines::{FailedEngine, failed},
    fields::{FreeText, request},
    json::response,
    paging::{Cursor, Limit, camel_list, page},
    params::{Path, Query, TaskId},
    problem::Problem,
    processes::handle,
    tags::Tag,
};
use crate::{
    app::{
        App,
        tasks::{Inbox, KnownTask, TaskFilter},
    },
    domain::{json::JsonObject, text::Key, workspace::WorkspaceId},
};

/// Tag `user tasks`.
pub(super) struct UserTasksApi {
    pub(super) app: Arc<App>,
}

request! {
    /// Who is to have a task.
    pub(super) struct AssignmentBody {
        /// Who; null: nobody.
        nullable assignee ("assignee"): Key,
    }
}

response! {
    /// Open tasks, and the engines that could not say.
    pub(super) struct InboxBody {
        /// The tasks of this part, newest first.
        required items ("items"): Vec<UserTaskBody>,
        /// The `cursor` of the next part; null at the end.
        nullable next_cursor ("nextCursor"): String,
        /// Engines that did not answer.
        required failed_engines ("failedEngines"): Vec<FailedEngine>,
    }
}

response! {
    /// A user task.
    pub(super) struct UserTaskBody {
        /// Its id.
        required id ("id"): String,
        /// What people call it.
        required name ("name"): String,
        /// The BPMN element.
        required task_definition_key ("taskDefinitionKey"): String,
        /// The instance.
        required process_instance_id ("processInstanceId"): String,
        /// What runs.
        required process_definition_key ("processDefinitionKey"): String,
        /// The instance's business key.
        nullable business_key ("businessKey"): String,
        /// Who has it.
        nullable assignee ("assignee"): String,
        /// Who may take it.
        required candidate_users ("candidateUsers"): Vec<String>,
        /// Which groups may take it.
        required candidate_groups ("candidateGroups"): Vec<String>,
        /// When it was made.
        required created_at ("createdAt"): Timestamp,
        /// When it should be done.
        nullable due ("due"): Timestamp,
        /// When to ask after it.
        nullable follow_up ("followUp"): Timestamp,
        /// More is more urgent.
        nullable priority ("priority"): i32,
        /// What form it shows.
        nullable form_key ("formKey"): String,
        /// The engine's configured name.
        required engine ("engine"): String,
        /// Whose it is.
        nullable workspace_id ("workspaceId"): String,
    }
}

impl From<KnownTask> for UserTaskBody {
    fn from(KnownTask { engine, task }: KnownTask) -> Self {
        Self {
            id: handle(&engine, task.id),
            name: task.name,
            task_definition_key: task.element_id,
            process_instance_id: handle(&engine, task.instance),
            process_definition_key: task.process_key.into_string(),
            business_key: task.business_key.map(Key::into_string),
            assignee: task.assignee,
            candidate_users: task.candidate_users,
            candidate_groups: task.candidate_groups,
            created_at: task.created_at,
            due: task.due,
            follow_up: task.follow_up,
            priority: task.priority,
            form_key: task.form_key,
            engine: engine.to_string(),
            workspace_id: task.workspace.map(|workspace| workspace.to_string()),
        }
    }
}

#[OpenApi(tag = "Tag::UserTasks")]
impl UserTasksApi {
    /// List open user tasks
    ///
    /// On all engines, newest first. An engine that does not answer is named in `failedEngines`.
    #[oai(path = "/api/userTask", method = "get", operation_id = "list_user_tasks")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the request")]
    async fn inbox(
        &self,
        who: Who,
        /// In this workspace; wherever the caller may read if absent.
        #[oai(name = "workspaceId")]
        workspace: Query<WorkspaceId>,
        /// Of this instance.
        #[oai(name = "processInstanceId")]
        instance: Query<FreeText>,
        /// Of this BPMN element.
        #[oai(name = "taskDefinitionKey")]
        element: Query<FreeText>,
        /// Of this person.
        assignee: Query<FreeText>,
        /// Open to this group.
        #[oai(name = "candidateGroup")]
        candidate_group: Query<FreeText>,
        /// How many items are wanted.
        limit: Query<Limit>,
        /// Where the part before ended: its `nextCursor`.
        cursor: Query<Cursor>,
    ) -> Result<Ok200<InboxBody>, Problem> {
        let text = |text: Query<FreeText>| text.0.map(|FreeText(text)| text);
        let filter = TaskFilter {
            workspace: workspace.0,
            instance: text(instance),
            element_id: text(element),
            assignee: text(assignee),
            candidate_group: text(candidate_group),
        };
        let Inbox { tasks, failed: missing } = self.app.tasks.inbox(&who.0, filter, &page(limit, cursor)).await?;
        let tasks = camel_list(tasks, UserTaskBody::from);
        let failed_engines = missing.into_iter().map(failed).collect();
        Ok(Ok200::new(InboxBody { items: tasks.items, next_cursor: tasks.next_cursor, failed_engines }))
    }

    /// Complete a user task
    ///
    /// The body is the variables that it gives.
    #[oai(path = "/api/userTask/:id/complete", method = "post", operation_id = "complete_user_task")]
    async fn complete(
        &self,
        who: Who,
        /// The task.
        id: Path<TaskId>,
        body: Body<JsonObject>,
    ) -> Result<NoContent, Problem> {
        self.app.tasks.complete(&who.0, &id.0.0, body.value).await?;
        Ok(NoContent)
    }

    /// Assign a user task
    #[oai(path = "/api/userTask/:id/assign", method = "post", operation_id = "assign_user_task")]
    async fn assign(
        &self,
        who: Who,
        /// The task.
        id: Path<TaskId>,
        body: Body<AssignmentBody>,
    ) -> Result<NoContent, Problem> {
        self.app.tasks.assign(&who.0, &id.0.0, body.value.assignee).await?;
        Ok(NoContent)
    }
}
