//! Structured logs: a JSON document for each event. They name applications and addresses; never a patient, a study or an
//! instance.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::moment::now;

/// Takes a line of the log.
pub type LogSink = Arc<dyn Fn(&str) + Send + Sync>;

/// Writes events.
#[derive(Clone)]
pub(crate) struct Log(LogSink);

impl Log {
    /// Writes to this sink.
    pub(crate) fn new(sink: LogSink) -> Self {
        Self(sink)
    }

    /// Writes an event with its fields.
    pub(crate) fn event(&self, name: &str, fields: &[(&str, &dyn fmt::Display)]) {
        let mut document = Map::new();
        document.insert("at".to_owned(), Value::from(now()));
        document.insert("event".to_owned(), Value::from(name));
        for (field, value) in fields {
            document.insert((*field).to_owned(), Value::from(value.to_string()));
        }
        (self.0)(&Value::Object(document).to_string());
    }
}
