//! Metrics in CloudWatch's embedded metric format: a line of JSON on standard output, from which CloudWatch makes metrics without
//! being called. Source: Amazon CloudWatch User Guide, *Specification: Embedded metric format*.
//!
//! Every value of a dimension makes a metric of its own, which is paid for: dimensions are closed sets (outcomes, codes, gateways,
//! transitions), never ids.

use escrow_domain::id::GatewayName;
use escrow_domain::lifecycle::Transition;
use escrow_domain::payout::PayoutStatus;
use escrow_domain::time::{Period, Timestamp};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Under which CloudWatch shows them.
pub const NAMESPACE: &str = "Holdfast";

/// How an attempt to pay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentOutcome {
    /// A page was opened.
    Opened,
    /// Paid, and held.
    Paid,
    /// The buyer's bank said no; the page stays open.
    Declined,
    /// Nobody paid in time, or it was given up.
    Closed,
    /// Paid, but it fitted nothing: it goes back.
    Absorbed,
    /// The gateway refused to open it.
    Refused,
}

impl PaymentOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Paid => "paid",
            Self::Declined => "declined",
            Self::Closed => "closed",
            Self::Absorbed => "absorbed",
            Self::Refused => "refused",
        }
    }
}

/// One thing worth counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// An attempt to pay ended, or began.
    Payment(GatewayName, PaymentOutcome),
    /// From the gateway's `created` of an event to its commit here.
    WebhookLatency(GatewayName, Period),
    /// A webhook was refused: `signature_invalid`, `body_too_large` …
    WebhookRefused(GatewayName, &'static str),
    /// An event that could not be applied and was parked.
    Parked(GatewayName),
    /// A transition was committed.
    Transition(Transition),
    /// A person's request was refused, with this code.
    Refusal(&'static str),
    /// Effects whose result at the gateway is not known, found by a sweep.
    EffectsInDoubt(u32),
    /// Escrows that wait for an operator or are frozen, found by a sweep.
    Stopped(u32),
    /// A payout has come to this.
    Payout(PayoutStatus),
    /// From asking for a payout to its leaving.
    PayoutTime(Period),
    /// Payouts that wait for an operator to approve or to make them, found by a sweep.
    PayoutsWaiting(u32),
    /// Payouts of which it is not known whether they were made.
    PayoutsInReview(u32),
    /// How late the latest deadline of a sweep was when it was carried out.
    SweepLateness(Period),
    /// Items that a sweep could not carry out and postponed.
    SweepParked(u32),
    /// A change that lost its race too often.
    Contended,
    /// Invariants that the reconciler has found broken, twice.
    Breaks(u64),
    /// Facts that the reconciler has found in a gateway's own lists, whose webhooks were lost.
    WebhooksMissed(u64),
    /// Gateways whose own lists the reconciler could not read to their end.
    ListsUnread(u32),
}

/// Where the records go.
#[derive(Clone, Debug)]
pub struct Metrics(Sink);

#[derive(Clone, Debug)]
enum Sink {
    StandardOutput,
    Nowhere,
    Kept(Arc<Mutex<Vec<Value>>>),
}

impl Metrics {
    /// To standard output, from where Lambda takes them.
    #[must_use]
    pub fn to_cloudwatch() -> Self {
        Self(Sink::StandardOutput)
    }

    /// Nowhere: on a developer's machine they would only be noise.
    #[must_use]
    pub fn nowhere() -> Self {
        Self(Sink::Nowhere)
    }

    /// Into memory, to be read by [`Metrics::kept`].
    #[must_use]
    pub fn in_memory() -> Self {
        Self(Sink::Kept(Arc::default()))
    }

    /// What was recorded in memory.
    #[must_use]
    pub fn kept(&self) -> Vec<Value> {
        match &self.0 {
            Sink::Kept(records) => records.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Sink::StandardOutput | Sink::Nowhere => Vec::new(),
        }
    }

    /// Records one.
    pub fn record(&self, measure: Measure, now: Timestamp) {
        match &self.0 {
            Sink::Nowhere => {}
            Sink::Kept(records) => {
                records.lock().unwrap_or_else(PoisonError::into_inner).push(record(measure, now));
            }
            Sink::StandardOutput => {
                // A metric that cannot be written must not stop what it measures.
                let _ = writeln!(std::io::stdout().lock(), "{}", record(measure, now));
            }
        }
    }
}

/// A name, a unit, a value, and the dimensions with their values.
struct Shape {
    name: &'static str,
    unit: &'static str,
    value: u64,
    dimensions: Vec<(&'static str, &'static str)>,
}

fn shape(measure: Measure) -> Shape {
    let count = |name, value: u64, dimensions| Shape { name, unit: "Count", value, dimensions };
    let time = |name, period: Period, dimensions| Shape {
        name,
        unit: "Milliseconds",
        value: u64::try_from(period.as_millis()).unwrap_or_default(),
        dimensions,
    };
    match measure {
        Measure::Payment(gateway, outcome) => {
            count("Payments", 1, vec![("Gateway", gateway.as_str()), ("Outcome", outcome.as_str())])
        }
        Measure::WebhookLatency(gateway, late) => time("WebhookLatency", late, vec![("Gateway", gateway.as_str())]),
        Measure::WebhookRefused(gateway, code) => {
            count("WebhooksRefused", 1, vec![("Gateway", gateway.as_str()), ("Code", code)])
        }
        Measure::Parked(gateway) => count("EventsParked", 1, vec![("Gateway", gateway.as_str())]),
        Measure::Transition(transition) => count("Transitions", 1, vec![("Transition", transition.as_str())]),
        Measure::Refusal(code) => count("Refusals", 1, vec![("Code", code)]),
        Measure::EffectsInDoubt(number) => count("EffectsInDoubt", number.into(), vec![]),
        Measure::Stopped(number) => count("EscrowsStopped", number.into(), vec![]),
        Measure::Payout(status) => count("Payouts", 1, vec![("Status", status.as_str())]),
        Measure::PayoutTime(took) => time("PayoutTime", took, vec![]),
        Measure::PayoutsWaiting(number) => count("PayoutsWaiting", number.into(), vec![]),
        Measure::PayoutsInReview(number) => count("PayoutsInReview", number.into(), vec![]),
        Measure::SweepLateness(late) => time("SweepLateness", late, vec![]),
        Measure::SweepParked(number) => count("SweepParked", number.into(), vec![]),
        Measure::Contended => count("Contended", 1, vec![]),
        Measure::Breaks(number) => count("LedgerBreaks", number, vec![]),
        Measure::WebhooksMissed(number) => count("WebhooksMissed", number, vec![]),
        Measure::ListsUnread(number) => count("ListsUnread", number.into(), vec![]),
    }
}

fn record(measure: Measure, now: Timestamp) -> Value {
    let Shape { name, unit, value, dimensions } = shape(measure);
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
    let mut record = Map::new();
    record.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now.as_millis(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [names],
                "Metrics": [{"Name": name, "Unit": unit}],
            }],
        }),
    );
    for (dimension, value) in &dimensions {
        record.insert((*dimension).to_owned(), json!(value));
    }
    record.insert(name.to_owned(), json!(value));
    Value::Object(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_measure() -> Vec<Measure> {
        let stripe = GatewayName::Stripe;
        let outcomes = [
            PaymentOutcome::Opened,
            PaymentOutcome::Paid,
            PaymentOutcome::Declined,
            PaymentOutcome::Closed,
            PaymentOutcome::Absorbed,
            PaymentOutcome::Refused,
        ];
        let mut all: Vec<Measure> = outcomes.into_iter().map(|outcome| Measure::Payment(stripe, outcome)).collect();
        all.extend(Transition::ALL.iter().map(|transition| Measure::Transition(*transition)));
        all.extend([
            Measure::WebhookLatency(stripe, Period::seconds(2)),
            Measure::WebhookRefused(stripe, "signature_invalid"),
            Measure::Parked(stripe),
            Measure::Refusal("too_late"),
            Measure::EffectsInDoubt(3),
            Measure::Stopped(1),
            Measure::Payout(PayoutStatus::Paid),
            Measure::PayoutTime(Period::minutes(3)),
            Measure::PayoutsWaiting(1),
            Measure::PayoutsInReview(1),
            Measure::SweepLateness(Period::seconds(30)),
            Measure::SweepParked(2),
            Measure::Contended,
            Measure::Breaks(1),
            Measure::WebhooksMissed(2),
            Measure::ListsUnread(1),
        ]);
        all
    }

    /// The rules of the specification, one by one.
    fn check(record: &Value) {
        let root = record.as_object().unwrap();
        let aws = &root["_aws"];
        assert!(aws["Timestamp"].as_u64().is_some_and(|millis| millis > 1_000_000_000_000), "milliseconds since 1970");
        let directives = aws["CloudWatchMetrics"].as_array().unwrap();
        assert!(!directives.is_empty());
        for directive in directives {
            let namespace = directive["Namespace"].as_str().unwrap();
            assert!((1..=1_024).contains(&namespace.len()));
            for set in directive["Dimensions"].as_array().unwrap() {
                let set = set.as_array().unwrap();
                assert!(set.len() <= 30);
                for name in set {
                    let value = root[name.as_str().unwrap()].as_str().unwrap();
                    assert!((1..=1_024).contains(&value.len()) && value.is_ascii(), "{value}");
                }
            }
            let metrics = directive["Metrics"].as_array().unwrap();
            assert!((1..=100).contains(&metrics.len()));
            for metric in metrics {
                assert!(matches!(metric["Unit"].as_str().unwrap(), "Count" | "Milliseconds"));
                assert!(root[metric["Name"].as_str().unwrap()].is_u64(), "a number, {record}");
                assert!(metric.get("StorageResolution").is_none());
            }
        }
    }

    #[test]
    fn every_record_keeps_the_specification() {
        let metrics = Metrics::in_memory();
        for measure in every_measure() {
            metrics.record(measure, Timestamp::from_seconds(1_800_000_000));
        }
        let records = metrics.kept();
        assert_eq!(records.len(), every_measure().len());
        records.iter().for_each(check);
        let names: Vec<String> = records
            .iter()
            .map(|record| record["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"].as_str().unwrap().to_owned())
            .collect();
        for record in &records {
            let fits = record.as_object().unwrap().keys().all(|key| key != "_aws" || !names.contains(key));
            assert!(fits);
        }
    }

    #[test]
    fn one_record_as_it_is_written() {
        let record =
            record(Measure::Payment(GatewayName::Stripe, PaymentOutcome::Paid), Timestamp::from_seconds(1_800_000_000));
        let expected = json!({
            "_aws": {"Timestamp": 1_800_000_000_000_u64, "CloudWatchMetrics": [{"Namespace": "Holdfast",
                "Dimensions": [["Gateway", "Outcome"]], "Metrics": [{"Name": "Payments", "Unit": "Count"}]}]},
            "Gateway": "stripe", "Outcome": "paid", "Payments": 1
        });
        assert_eq!(record, expected);
    }
}
