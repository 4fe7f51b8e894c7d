//! Reading threads. A thread belongs to one read until the read is done, so SQLite's work never runs where requests
//! are served; a read that nobody waits for any more is interrupted. When long reads hold all threads, those that
//! wait behind them get more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::connection::{Mode, open_connection};
use crate::Error;
use crate::backends::Promise;

/// A thread without work for so long goes, unless it is the last.
const IDLE: Duration = Duration::from_secs(30);
/// A read that waits for so long for its answer, while none at all is done, looks whether there are too few threads.
const WAIT: Duration = Duration::from_millis(25);
/// So many times the usual number of threads there may be while long reads hold the usual ones.
const RELIEF: usize = 4;
/// SQLite asks after so many steps of its machine whether the work is still wanted.
const STEPS: i32 = 2_000;

/// The reading threads of a database.
pub(super) struct Readers {
    shared: Arc<Shared>,
    /// `None` once the threads are told to go.
    jobs: Option<Sender<Job>>,
}

struct Shared {
    path: PathBuf,
    most: usize,
    queue: Receiver<Job>,
    crew: Mutex<Crew>,
}

#[derive(Default)]
struct Crew {
    /// Threads that live.
    threads: usize,
    /// Threads without work, less the jobs that wait.
    spare: isize,
    /// Reads done so far.
    done: u64,
    handles: Vec<std::thread::JoinHandle<()>>,
}

/// What a thread does with its connection, or with the reason why it has none.
type Work = Box<dyn FnOnce(Result<&mut Connection, Error>) + Send>;

struct Job {
    work: Work,
    abandoned: Arc<AtomicBool>,
}

/// Says so when the one who waits for an answer goes away.
struct Abandon(Arc<AtomicBool>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Readers {
    pub(super) fn new(path: PathBuf, most: usize) -> Self {
        let (jobs, queue) = crossbeam_channel::unbounded();
        let shared = Shared {
            path,
            most: most.max(1),
            queue,
            crew: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
            jobs: Some(jobs),
        }
    }

    /// How many threads live.
    pub(super) fn threads(&self) -> usize {
        self.shared.crew().threads
    }

    /// Runs `work` on a thread of its own; dropping the promise interrupts it.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Promise<'_, T> {
        let (reply, answer) = oneshot::channel();
        let abandoned = Arc::new(AtomicBool::new(false));
        let abandon = Abandon(abandoned.clone());
        let submitted = self.submit(Job {
            work: Box::new(move |connection| {
                // Nobody waits: nothing to tell.
                let _ = reply.send(connection.and_then(work));
            }),
            abandoned,
        });
        Box::pin(async move {
            let mut done = submitted?;
            let mut answer = answer;
            let outcome = loop {
                match tokio::time::timeout(WAIT, &mut answer).await {
                    Ok(outcome) => break outcome,
                    Err(_) => done = self.shared.clone().relieve(done)?,
                }
            };
            drop(abandon);
            outcome.map_err(|_| Error::Cancelled)?
        })
    }

    /// Queues a job; tells how many reads were done by then.
    fn submit(&self, job: Job) -> Result<u64, Error> {
        let (needs_thread, done) = {
            let mut crew = self.shared.crew();
            crew.spare -= 1;
            (crew.enlist(self.shared.most), crew.done)
        };
        if needs_thread {
            self.shared.clone().hire()?;
        }
        match &self.jobs {
            Some(jobs) if jobs.send(job).is_ok() => Ok(done),
            _ => Err(Error::Cancelled),
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.jobs = None;
        let handles = std::mem::take(&mut self.shared.crew().handles);
        for handle in handles {
            // A thread that panicked has nothing left to close.
            let _ = handle.join();
        }
    }
}

impl Crew {
    /// Counts one more thread where jobs wait and there may be so many; the caller starts it.
    fn enlist(&mut self, most: usize) -> bool {
        let needed = self.spare < 0 && self.threads < most;
        if needed {
            self.threads += 1;
            self.spare += 1;
        }
        needed
    }
}

impl Shared {
    /// One more thread than usual, where jobs still wait and none was done since `before`: long reads hold the
    /// others. While reads are done, more threads would only share the same processors. Tells how many are done.
    fn relieve(self: Arc<Self>, before: u64) -> Result<u64, Error> {
        let (needed, done) = {
            let mut crew = self.crew();
            (crew.done == before && crew.enlist(self.most * RELIEF), crew.done)
        };
        if needed {
            self.hire()?;
        }
        Ok(done)
    }

    fn crew(&self) -> MutexGuard<'_, Crew> {
        // Counts are whole at every moment.
        self.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread that is counted already.
    fn hire(self: Arc<Self>) -> Result<(), Error> {
        let shared = self.clone();
        let handle = std::thread::Builder::new()
            .name("loggia-reader".to_owned())
            .spawn(move || shared.serve());
        let mut crew = self.crew();
        let handle = handle.map_err(|error| {
            crew.threads -= 1;
            crew.spare -= 1;
            Error::internal(format!("no reading thread: {error}"))
        })?;
        crew.handles.retain(|handle| !handle.is_finished());
        crew.handles.push(handle);
        Ok(())
    }

    fn serve(&self) {
        let mut connection = open_connection(&self.path, Mode::Read);
        loop {
            let job = match self.queue.recv_timeout(IDLE) {
                Ok(job) => job,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) if self.retire() => return,
                Err(RecvTimeoutError::Timeout) => continue,
            };
            if connection.is_err() {
                connection = open_connection(&self.path, Mode::Read);
            }
            let worked = catch_unwind(AssertUnwindSafe(|| match &mut connection {
                Ok(connection) => job.run(connection),
                Err(error) => (job.work)(Err(super::failure::again(error))),
            }));
            if worked.is_err() {
                // The thread lives on; its connection is in nobody knows what state.
                tracing::error!("a read panicked");
                connection = open_connection(&self.path, Mode::Read);
            }
            let mut crew = self.crew();
            crew.spare += 1;
            crew.done += 1;
        }
    }

    fn retire(&self) -> bool {
        let mut crew = self.crew();
        let may_go = crew.threads > 1 && crew.spare > 0;
        if may_go {
            crew.threads -= 1;
            crew.spare -= 1;
        }
        may_go
    }
}

impl Job {
    fn run(self, connection: &mut Connection) {
        if self.abandoned.load(Ordering::Relaxed) {
            return;
        }
        let abandoned = self.abandoned;
        let watch = connection.progress_handler(STEPS, Some(move || abandoned.load(Ordering::Relaxed)));
        (self.work)(match watch {
            Ok(()) => Ok(connection),
            Err(error) => Err(super::failure::of(error)),
        });
    }
}
