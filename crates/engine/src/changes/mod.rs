//! What a request changes, recorded in the transaction that changes it: no record, no write.

mod recorder;

pub(crate) use recorder::Recorder;
