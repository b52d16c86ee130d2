//! Holds back what arrives while an operator has paused the component.

use std::collections::VecDeque;

use async_nats::Message as Arrived;

use crate::subjects::Kind;

#[derive(Default)]
pub(crate) struct Pause {
    pub is_on: bool,
    held: VecDeque<Arrived>,
    passed: u32,
}

impl Pause {
    /// How many messages wait for the end of the pause.
    pub(crate) fn waiting(&self) -> u32 {
        self.held.len() as u32
    }

    /// Takes a message that is not to be handled now, and returns any other. What is not market data
    /// must not be lost.
    pub(crate) fn filter(&mut self, arrived: Arrived, kind: Kind) -> Option<Arrived> {
        if !self.is_on {
            return Some(arrived);
        }
        if kind == Kind::Data {
            self.passed += 1;
        } else {
            self.held.push_back(arrived);
        }
        None
    }

    /// Returns the oldest message that was held and may be handled now.
    pub(crate) fn next(&mut self) -> Option<Arrived> {
        if self.is_on {
            return None;
        }
        if self.passed > 0 {
            eprintln!("was paused: {} bars have passed", self.passed);
            self.passed = 0;
        }
        self.held.pop_front()
    }

    /// Reports what is lost at a stop.
    pub(crate) fn end(&self) {
        let lost = self.waiting() + self.passed;
        if lost > 0 {
            eprintln!("was paused: {lost} events are not handled");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(subject: &str) -> Arrived {
        Arrived {
            subject: subject.into(),
            reply: None,
            payload: "".into(),
            headers: None,
            status: None,
            description: None,
            length: 0,
        }
    }

    #[test]
    fn paused_component_holds_back_what_is_not_market_data_in_order() {
        let mut pause = Pause::default();
        assert!(pause.filter(message("first"), Kind::Order).is_some());
        pause.is_on = true;
        assert!(pause.filter(message("bar"), Kind::Data).is_none());
        assert!(pause.filter(message("second"), Kind::Order).is_none());
        assert!(pause.filter(message("third"), Kind::Signal).is_none());
        assert_eq!(pause.waiting(), 2);
        assert!(pause.next().is_none());
        pause.is_on = false;
        let mut released = std::iter::from_fn(|| pause.next().map(|next| next.subject.to_string()));
        assert_eq!(released.next().as_deref(), Some("second"));
        assert_eq!(released.next().as_deref(), Some("third"));
        assert_eq!(released.next(), None);
    }
}
