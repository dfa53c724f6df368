//! The embedded engine's user tasks.

use std::sync::Arc;

use async_trait::async_trait;
use imbl::OrdMap;
use uuid::Uuid;

use super::{
    MemoryUnit,
    index::{Index, items},
    jobs::of_instance,
};
use crate::{
    domain::{
        engine::NativeId,
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::{
        engine::{TaskQuery, UserTask},
        engine_store::{ElementRef, TaskRow, Tasks, WorkState, task_position},
        repository::RepositoryError,
    },
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    rows: OrdMap<ElementRef, Arc<TaskRow>>,
    /// Open tasks by their position in lists.
    open: Index<Facet, Place>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    position: String,
    id: ElementRef,
}

/// How open tasks are narrowed down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Facet {
    All,
    Workspace(WorkspaceId),
    Instance(NativeId),
    Assignee(String),
    CandidateGroup(String),
}

impl Facet {
    fn of(row: &TaskRow) -> Vec<Self> {
        if row.state != WorkState::Open {
            return Vec::new();
        }
        let mut facets = vec![Self::All, Self::Instance(row.task.instance.clone())];
        facets.extend(row.task.workspace.clone().map(Self::Workspace));
        facets.extend(row.task.assignee.clone().map(Self::Assignee));
        facets.extend(row.task.candidate_groups.iter().cloned().map(Self::CandidateGroup));
        facets
    }

    /// The narrowest ones that hold everything the query may find.
    fn asked(query: &TaskQuery) -> Vec<Self> {
        if let Some(instance) = &query.instance {
            vec![Self::Instance(instance.clone())]
        } else if let Some(assignee) = &query.assignee {
            vec![Self::Assignee(assignee.clone())]
        } else if let Some(group) = &query.candidate_group {
            vec![Self::CandidateGroup(group.clone())]
        } else {
            match &query.within {
                WorkspaceAccess::All => vec![Self::All],
                WorkspaceAccess::Only(ids) => ids.iter().cloned().map(Self::Workspace).collect(),
            }
        }
    }
}

fn place(row: &TaskRow) -> Place {
    Place { position: task_position(row.task.created_at, &row.task.id), id: row.id }
}

fn fits(task: &UserTask, query: &TaskQuery) -> bool {
    let within = match (&query.within, &task.workspace) {
        (WorkspaceAccess::All, _) => true,
        (only, Some(workspace)) => only.contains(workspace),
        (WorkspaceAccess::Only(_), None) => false,
    };
    within
        && query.id.as_ref().is_none_or(|id| task.id == *id)
        && query.instance.as_ref().is_none_or(|instance| task.instance == *instance)
        && query.element_id.as_ref().is_none_or(|element| task.element_id == *element)
        && query.assignee.as_ref().is_none_or(|assignee| task.assignee.as_ref() == Some(assignee))
        && query.candidate_group.as_ref().is_none_or(|group| task.candidate_groups.contains(group))
}

impl Table {
    fn get(&self, id: ElementRef) -> Option<TaskRow> {
        self.rows.get(&id).map(|row| TaskRow::clone(row))
    }

    fn insert(&mut self, row: &TaskRow) -> Result<(), RepositoryError> {
        if self.rows.contains_key(&row.id) {
            return Err(RepositoryError::Conflict);
        }
        self.put(row.clone());
        Ok(())
    }

    fn put(&mut self, row: TaskRow) {
        for facet in Facet::of(&row) {
            self.open.insert(facet, place(&row));
        }
        self.rows.insert(row.id, Arc::new(row));
    }

    fn take(&mut self, id: ElementRef) -> Option<TaskRow> {
        let old = self.rows.remove(&id)?;
        for facet in Facet::of(&old) {
            self.open.remove(&facet, &place(&old));
        }
        Some(Arc::unwrap_or_clone(old))
    }

    fn update(&mut self, row: &TaskRow) {
        let Some(old) = self.take(row.id) else { return };
        let task = UserTask { assignee: row.task.assignee.clone(), ..old.task };
        self.put(TaskRow { state: row.state, task, id: old.id });
    }

    fn list(&self, query: &TaskQuery, after: Option<&str>, limit: u32) -> Vec<UserTask> {
        if let Some(id) = &query.id {
            let row = ElementRef::parse(id).and_then(|id| self.rows.get(&id));
            let open = row.filter(|row| row.state == WorkState::Open && fits(&row.task, query));
            let seen = |row: &&Arc<TaskRow>| after.is_none_or(|after| place(row).position.as_str() < after);
            return open.filter(seen).map(|row| row.task.clone()).into_iter().take(items(limit)).collect();
        }
        let least = ElementRef { instance: Uuid::nil(), key: 0 };
        let below = after.map(|position| Place { position: position.to_owned(), id: least });
        let wanted = |place: &Place| self.rows.get(&place.id).is_some_and(|row| fits(&row.task, query));
        let found = self.open.merge_descending(Facet::asked(query), below.as_ref(), items(limit), wanted);
        found.iter().filter_map(|place| self.rows.get(&place.id)).map(|row| row.task.clone()).collect()
    }

    pub(super) fn forget(&mut self, instance: Uuid) {
        for id in of_instance(&self.rows, instance) {
            self.take(id);
        }
    }
}

#[async_trait]
impl Tasks for MemoryUnit {
    async fn insert(&mut self, task: &TaskRow) -> Result<(), RepositoryError> {
        self.change(|state| state.tasks.insert(task))
    }

    async fn find(&mut self, id: ElementRef) -> Result<Option<TaskRow>, RepositoryError> {
        self.read(|state| state.tasks.get(id))
    }

    async fn lock(&mut self, id: ElementRef) -> Result<Option<TaskRow>, RepositoryError> {
        self.hold(|state| state.tasks.get(id))
    }

    async fn update(&mut self, task: &TaskRow) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.tasks.update(task);
            Ok(())
        })
    }

    async fn list(
        &mut self,
        query: &TaskQuery,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<UserTask>, RepositoryError> {
        self.read(|state| state.tasks.list(query, after, limit))
    }
}
