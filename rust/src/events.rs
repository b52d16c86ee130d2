//! What the events of the bus have in common.

use prost::{Message, Name};
use prost_types::Timestamp;

use crate::Error;
use crate::bar::{format_time, parse_time};
use crate::ids::make_id;
use crate::subjects::{DATA, EXECUTION, SIGNAL, data_subject};
use crate::v1::{
    CancelEvent, ControlEvent, DataEvent, DeadLetterEvent, DenialEvent, ExecutionEvent, OrderEvent,
    ReplaceEvent, SignalEvent,
};

/// An event of the bus, which has a subject, an id and a time.
pub trait Event: Message + Name + Default {
    /// The subject on which all events of this type travel.
    fn pattern() -> String;
    /// What its ids begin with.
    const PREFIX: &'static str;
    /// The subject of this event.
    fn subject(&self) -> Result<String, Error> {
        Ok(Self::pattern())
    }
    /// Its symbol; `None` for a type without one.
    fn symbol(&self) -> Option<&str>;
    /// Its id; empty when it has none.
    fn id(&self) -> &str;
    /// Gives it an id.
    fn set_id(&mut self, id: String);
    /// Its time; `None` when it has none.
    fn time(&self) -> Option<Timestamp>;
    /// Gives it a time.
    fn set_time(&mut self, time: Timestamp);
    /// The id of an event that follows from no other; `None` where there can be two of the same.
    fn own_id(&self, _component: &str) -> Option<String> {
        None
    }
    /// The id of the order that it is, or that it is about; `None` for another type.
    fn order(&self) -> Option<&str> {
        None
    }
}

macro_rules! event {
    ($type:ident, $pattern:expr, $prefix:literal, $id:tt, $symbol:tt) => {
        impl Event for $type {
            fn pattern() -> String {
                $pattern.into()
            }
            const PREFIX: &'static str = $prefix;
            event!(@id $id);
            event!(@symbol $symbol);
            fn time(&self) -> Option<Timestamp> {
                self.timestamp
            }
            fn set_time(&mut self, time: Timestamp) {
                self.timestamp = Some(time);
            }
        }
    };
    (@symbol symbol) => {
        fn symbol(&self) -> Option<&str> {
            Some(&self.symbol)
        }
    };
    (@symbol of_order) => {
        event!(@symbol symbol);
        fn order(&self) -> Option<&str> {
            Some(&self.order_id)
        }
    };
    (@symbol order) => {
        event!(@symbol symbol);
        fn order(&self) -> Option<&str> {
            Some(&self.id)
        }
    };
    (@symbol none) => {
        fn symbol(&self) -> Option<&str> {
            None
        }
    };
    (@id always) => {
        fn id(&self) -> &str {
            &self.id
        }
        fn set_id(&mut self, id: String) {
            self.id = id;
        }
    };
    (@id optional) => {
        fn id(&self) -> &str {
            self.id.as_deref().unwrap_or_default()
        }
        fn set_id(&mut self, id: String) {
            self.id = Some(id);
        }
    };
}

event!(SignalEvent, SIGNAL, "signal", optional, symbol);
event!(OrderEvent, "ingenium.portfolio.order", "order", always, order);
event!(CancelEvent, "ingenium.portfolio.cancel", "cancel", always, of_order);
event!(ReplaceEvent, "ingenium.portfolio.replace", "order", always, of_order);
event!(ExecutionEvent, EXECUTION, "exec", always, of_order);
event!(DenialEvent, "ingenium.risk.denial", "denial", always, symbol);
event!(ControlEvent, "ingenium.control.trading", "control", always, none);

impl Event for DataEvent {
    fn pattern() -> String {
        format!("{DATA}>")
    }
    const PREFIX: &'static str = "data";
    fn subject(&self) -> Result<String, Error> {
        data_subject(&self.symbol)
    }
    event!(@id optional);
    event!(@symbol symbol);
    fn time(&self) -> Option<Timestamp> {
        parse_time(&self.timestamp)
    }
    fn set_time(&mut self, time: Timestamp) {
        // A time that is there, readable or not, stays as it is.
        if self.timestamp.is_empty() {
            self.timestamp = format_time(&time);
        }
    }
    /// The same bar that is sent again is the same event.
    fn own_id(&self, component: &str) -> Option<String> {
        let (period, close) = self
            .ohlc
            .as_ref()
            .map(|bar| (bar.period.as_deref().unwrap_or_default(), bar.close.as_str()))
            .unwrap_or_default();
        let cause = [component, &self.symbol, &self.timestamp, period, close];
        Some(make_id(Self::PREFIX, &cause))
    }
}

impl Event for DeadLetterEvent {
    fn pattern() -> String {
        "ingenium.deadletter.>".into()
    }
    const PREFIX: &'static str = "dead";
    fn subject(&self) -> Result<String, Error> {
        Ok(format!("ingenium.deadletter.{}", self.component))
    }
    event!(@id always);
    event!(@symbol none);
    fn time(&self) -> Option<Timestamp> {
        self.timestamp
    }
    fn set_time(&mut self, time: Timestamp) {
        self.timestamp = Some(time);
    }
}
