//! What time brought.

use jiff::SignedDuration;
use uuid::Uuid;

use super::{
    changes::timer_row,
    instance::{Held, Refused},
    instances::Beginning,
    machine::{Command, Schedule, StepError},
    unit::Unit,
};
use crate::ports::{
    engine::EngineError,
    engine_store::{Due, ElementRef, TimerRow},
    repository::RepositoryError,
};

/// How long a timer is put off whose instance or definition cannot be read: it must not stand before all others for ever.
const PUT_OFF: SignedDuration = SignedDuration::from_mins(10);

impl Unit<'_> {
    /// Does what was due, unless another replica did it in the meantime.
    pub(super) async fn due(&mut self, due: Due) -> Result<(), EngineError> {
        match due {
            Due::Timer(timer) => self.fire(timer).await,
            Due::Start { definition, element_id } => self.start_by_timer(definition, element_id).await,
            Due::Continue(instance) => self.go_on(instance).await,
        }
    }

    async fn fire(&mut self, timer: ElementRef) -> Result<(), EngineError> {
        let Some(mut held) = self.hold_due(&Due::Timer(timer), timer.instance).await? else { return Ok(()) };
        match self.step(&mut held, Command::FireTimer { key: timer.key }).await {
            Ok(()) => self.finish(held).await,
            // Nothing waits for it: forget it.
            Err(Refused::Step(StepError::UnknownKey { .. } | StepError::Ended | StepError::NotStarted)) => {
                Ok(self.uow.timers().delete(&Due::Timer(timer)).await?)
            }
            Err(refused) => self.put_off(&Due::Timer(timer), refused.into()).await,
        }
    }

    async fn go_on(&mut self, instance: Uuid) -> Result<(), EngineError> {
        let what = Due::Continue(instance);
        let Some(mut held) = self.hold_due(&what, instance).await? else { return Ok(()) };
        match self.step(&mut held, Command::Continue).await {
            Ok(()) => {
                self.uow.timers().delete(&what).await?;
                self.finish(held).await
            }
            Err(refused) => self.put_off(&what, refused.into()).await,
        }
    }

    async fn start_by_timer(&mut self, id: Uuid, element_id: String) -> Result<(), EngineError> {
        let what = Due::Start { definition: id, element_id: element_id.clone() };
        let Some(timer) = self.uow.timers().lock_due(&what, self.now).await? else { return Ok(()) };
        let before = self.mark();
        if let Err(error) = self.begin_by_timer(id, element_id).await {
            self.forget_since(before);
            return self.put_off(&what, error).await;
        }
        match next(&timer, self) {
            Some(schedule) => self.uow.timers().put(&timer_row(what, &schedule)?).await?,
            None => self.uow.timers().delete(&what).await?,
        }
        Ok(())
    }

    async fn begin_by_timer(&mut self, definition: Uuid, start: String) -> Result<(), EngineError> {
        let definition = self.engine.definitions.load(self.uow, definition).await?;
        let beginning = Beginning { element_id: Some(start.clone()), timer: Some(start), ..Beginning::default() };
        self.begin(definition, beginning).await.map(drop)
    }

    /// Locks an instance, and then what is due in it; `None` when it is not due any more.
    async fn hold_due(&mut self, what: &Due, instance: Uuid) -> Result<Option<Held>, EngineError> {
        let held = match self.hold(instance).await {
            Ok(held) => held,
            Err(error) => return self.put_off(what, error).await.map(|()| None),
        };
        if self.uow.timers().lock_due(what, self.now).await?.is_none() {
            return Ok(None);
        }
        if held.is_none() {
            self.uow.timers().delete(what).await?;
        }
        Ok(held)
    }

    /// Tries again later what concerns one instance or definition only; any other error is the caller's.
    async fn put_off(&mut self, what: &Due, error: EngineError) -> Result<(), EngineError> {
        if !concerns_it_alone(&error) {
            return Err(error);
        }
        tracing::error!(?what, %error, "what is due is put off");
        let Some(timer) = self.uow.timers().lock_due(what, self.now).await? else { return Ok(()) };
        let due = self.now.checked_add(PUT_OFF).unwrap_or(self.now);
        Ok(self.uow.timers().put(&TimerRow { due, ..timer }).await?)
    }
}

/// Whether trying again at once would meet the same error, and nobody else would.
const fn concerns_it_alone(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::Repository(RepositoryError::Corrupt { .. })
            | EngineError::Failure(_)
            | EngineError::Invalid { .. }
            | EngineError::InstanceEnded
    )
}

fn next(timer: &TimerRow, unit: &Unit<'_>) -> Option<Schedule> {
    let schedule: Schedule = serde_json::from_str(&timer.schedule).ok()?;
    schedule.next(unit.now)
}
