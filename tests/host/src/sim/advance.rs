//! Time passing.

use super::{Action, CoreId, Count, Roles, Sim, TaskState, count};

/// Time passes in steps of at most this many nanoseconds.
const QUANTUM_NS: u64 = 20_000;

/// A ratio of one, in thousandths.
const ONE: u64 = 1000;

impl Sim {
    /// Lets time pass until `until_ns`.
    pub fn advance(&mut self, until_ns: u64) {
        if let Some(plan) = self.plan_to_run.take() {
            self.run_shadow(&plan);
        }
        while self.now_ns < until_ns {
            let step_ns = QUANTUM_NS.min(until_ns - self.now_ns);
            self.quantum(step_ns);
            self.now_ns += step_ns;
            self.deliver();
        }
    }

    fn quantum(&mut self, ns: u64) {
        let slowdown = self.slowdown_permille();
        let (counts_misses, llc_bytes) = (self.counts_misses, self.llc_bytes);
        let serving = self.is_serving();
        let shadowing = self.shadow.ends_ns.max(self.echo.ends_ns) > self.now_ns;
        for index in 0..self.cores.len() {
            let core = CoreId(u8::try_from(index).expect("at most 64 cores"));
            let serves = serving && core == self.first_class;
            let shadows = shadowing && core == self.shadow_core;
            let others = u64::from(serves) + u64::from(shadows);
            let tasks = self.runnable_on(core);
            if tasks + others == 0 {
                continue;
            }
            self.cores[index].busy_cycles += ns;
            let share_ns = ns / (tasks + others);
            let here = |state, on| state == TaskState::Runnable && on == core;
            for task in self.tasks.iter_mut().flatten().filter(|task| here(task.state, task.core)) {
                count(&mut task.counts, &task.nature, share_ns);
                if counts_misses {
                    let lines = (task.counts.read_bytes + task.counts.written_bytes) / 64;
                    let part = (task.nature.working_set_bytes * ONE / llc_bytes).min(ONE);
                    task.counts.llc_misses = Count::Counted(lines * part / ONE);
                }
                task.counts.units = task.counts.cycles / 100_000;
            }
            if serves {
                self.serve(share_ns, share_ns * ONE / slowdown, ns);
            }
        }
    }

    fn runnable_on(&self, core: CoreId) -> u64 {
        let tasks = self.tasks.iter().flatten();
        tasks.filter(|task| task.core == core && task.state == TaskState::Runnable).count() as u64
    }

    fn is_serving(&self) -> bool {
        let first = self.burst.as_ref().and_then(|burst| burst.requests.front());
        first.is_some_and(|request| request.arrival_ns <= self.now_ns)
    }

    /// What the second-class tasks slow the server down by.
    fn slowdown_permille(&self) -> u64 {
        let (mut cache, mut traffic) = (0, 0);
        let (ways, percent) = match (self.confined, self.shares.ways) {
            (Some(share), all) if all > 0 => (ONE * u64::from(share.ways) / u64::from(all), share.percent),
            _ => (ONE, 100),
        };
        for task in self.tasks.iter().flatten().filter(|task| task.state == TaskState::Runnable) {
            let share = ONE / self.runnable_on(task.core).max(1);
            let part = (task.nature.working_set_bytes * ONE / self.llc_bytes).min(ONE);
            let moved = (task.nature.read_per_us + task.nature.write_per_us) * 1_000_000;
            cache += part.min(ways) * share / ONE;
            traffic += moved * part / self.bandwidth * share / ONE * u64::from(percent) / 100;
        }
        let contested = if self.apart.is_some_and(|apart| apart.first_moves) { 0 } else { cache.min(ways) };
        ONE + 2 * contested + traffic
    }

    fn serve(&mut self, on_core_ns: u64, progress_ns: u64, wall_ns: u64) {
        let (now_ns, nature) = (self.now_ns, self.server.nature);
        let Some(running) = &mut self.burst else { return };
        let Some(request) = running.requests.front_mut() else { return };
        running.progress.counts.cycles += on_core_ns;
        request.left_ns = request.left_ns.saturating_sub(progress_ns);
        if request.left_ns > 0 {
            return;
        }
        let latency_ns = now_ns + wall_ns - request.arrival_ns;
        running.requests.pop_front();
        running.latencies_ns.push(latency_ns);
        let progress = &mut running.progress;
        let cycles = progress.counts.cycles;
        count(&mut progress.counts, &nature, self.server.service_ns);
        progress.counts.cycles = cycles;
        progress.counts.units += 1;
        progress.answered += 1;
        let late = latency_ns > running.burst.late_ns;
        if late && progress.late == 0 {
            progress.first_late_ns = now_ns + wall_ns;
        }
        progress.late += u32::from(late);
        progress.close.answer(latency_ns, running.burst.late_ns);
        progress.early.answer(now_ns + wall_ns - latency_ns - progress.released_ns, late);
        progress.done = running.requests.is_empty();
        progress.ended_ns = now_ns + wall_ns;
        self.last_burst = *progress;
        if progress.done {
            self.latencies_ns.append(&mut running.latencies_ns);
            self.burst = None;
        }
    }

    fn deliver(&mut self) {
        while self.actions.front().is_some_and(|(due_ns, _)| *due_ns <= self.now_ns) {
            let Some((_, action)) = self.actions.pop_front() else { return };
            self.take_effect(action);
        }
        for aside in [&mut self.shadow, &mut self.echo] {
            aside.progress.done |= aside.ends_ns > 0 && aside.ends_ns <= self.now_ns;
        }
    }

    fn take_effect(&mut self, action: Action) {
        match action {
            Action::Pause(id) => self.with_task(id.0, |task| task.state = TaskState::Paused),
            Action::Resume(id) => self.with_task(id.0, |task| task.state = TaskState::Runnable),
            Action::Migrate { task, to } => self.with_task(task.0, |task| task.core = to),
            Action::Dedicate(core) => {
                self.cores[usize::from(core.0)].roles.0 &= !Roles::SECOND_CLASS.0;
                let other = self.cores.iter().position(|core| core.roles.has(Roles::SECOND_CLASS));
                let to = CoreId(u8::try_from(other.expect("not the last core")).expect("at most 64 cores"));
                let pushed = |state, on| state == TaskState::Runnable && on == core;
                for task in self.tasks.iter_mut().flatten().filter(|task| pushed(task.state, task.core)) {
                    task.core = to;
                }
            }
            Action::Share(core) => self.cores[usize::from(core.0)].roles.0 |= Roles::SECOND_CLASS.0,
            Action::Confine(share) => self.confined = Some(share),
            Action::Unconfine => self.confined = None,
            Action::Recolour(apart) => self.apart = Some(apart),
            Action::Uncolour => self.apart = None,
        }
    }

    fn with_task(&mut self, slot: u16, change: impl FnOnce(&mut super::SimTask)) {
        if let Some(task) = self.tasks.get_mut(usize::from(slot)).and_then(Option::as_mut) {
            change(task);
        }
    }
}
