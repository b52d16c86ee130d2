//! An RSI strategy on the Rust library of this repository, a full member of a replay.

mod rsi;
#[cfg(feature = "spans")]
mod spans;

use std::collections::HashMap;
use std::env::args;

use ingenium::{Component, Error, LONG, Role, SHORT};

use rsi::Rsi;

const PERIOD: u32 = 2;
const BUY_BELOW: f64 = 5.0;
const SELL_ABOVE: f64 = 95.0;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let symbols: Vec<String> = args().skip(1).collect();
    if symbols.is_empty() {
        return Err("no symbols: pass them, such as AAPL IBM".into());
    }
    let mut component = Component::connect(Role::Strategy, "strategy").await?;
    #[cfg(feature = "spans")]
    let spans = spans::export(&mut component)?;
    let mut indexes: HashMap<String, Rsi> = HashMap::new();
    component.on_bar(&symbols, move |out, bar| {
        let index = indexes.entry(bar.symbol.clone()).or_insert_with(|| Rsi::new(PERIOD));
        let value = index.update(bar.close);
        if value < BUY_BELOW {
            out.signal(&bar.symbol, LONG)?;
        } else if value > SELL_ABOVE {
            out.signal(&bar.symbol, SHORT)?;
        }
        Ok(())
    })?;
    let done = component.run().await;
    #[cfg(feature = "spans")]
    spans::end(spans);
    done
}
