//! A list of OTLP attributes in the making.

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value};

/// Attributes, each key at most once (the caller sees to that).
#[derive(Debug, Default)]
pub(super) struct Attributes(Vec<KeyValue>);

impl Attributes {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    pub(super) fn string(&mut self, key: &str, value: impl Into<String>) {
        self.put(key, Value::StringValue(value.into()));
    }

    /// Adds nothing where the value is empty, as for a fact that is unknown.
    pub(super) fn known(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.string(key, value);
        }
    }

    pub(super) fn int(&mut self, key: &str, value: impl TryInto<i64>) {
        self.put(key, Value::IntValue(value.try_into().unwrap_or(i64::MAX)));
    }

    pub(super) fn double(&mut self, key: &str, value: f64) {
        self.put(key, Value::DoubleValue(value));
    }

    pub(super) fn flag(&mut self, key: &str) {
        self.put(key, Value::BoolValue(true));
    }

    pub(super) fn strings<'a>(&mut self, key: &str, values: impl Iterator<Item = &'a str>) {
        let values = values
            .map(|value| AnyValue {
                value: Some(Value::StringValue(value.to_owned())),
            })
            .collect();
        self.put(key, Value::ArrayValue(ArrayValue { values }));
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|found| found.key == key)
    }

    pub(super) fn into_vec(self) -> Vec<KeyValue> {
        self.0
    }

    fn put(&mut self, key: &str, value: Value) {
        self.0.push(KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        });
    }
}
