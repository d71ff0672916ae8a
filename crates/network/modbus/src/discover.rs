//! Which units answer at an address. Nothing tells, so each is asked: one request at a time, the next one when the answer
//! is there or the time-out is over. Dropping the search ends it and its connection.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::Instant;
use weir_connect::dial::Lookups;
use weir_connect::{Discovered, DriverError, ErrorKind};

use crate::client::{CallError, Client};
use crate::{Settings, Table};

/// Longest search: less than a person is let wait.
pub(crate) const SEARCH_TIME_MAX: Duration = Duration::from_secs(25);

/// Longest wait for one unit, whatever the settings' time-out: most of them are not there.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);

/// The last unit that a serial line may have (Modbus over Serial Line 1.02, clause 2.2).
const UNIT_MAX: u8 = 247;

/// The unit that devices of their own are asked to take (Messaging on TCP/IP 1.0b, clause 4.4.2.1).
const OF_ITS_OWN: u8 = 255;

/// Units that hardly one line has together: whoever answers for all of them looks at no unit's number.
const UNLIKELY: [u8; 3] = [247, 203, 101];

/// Most units of which it is asked what tables they have.
const TABLES_OF_UNITS_MAX: usize = 32;

/// What is told of a unit of which nothing else is known.
const ANSWERS: &str = "it answers";

/// What became of a question to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// It is there: it answered with a value, or with what it cannot do.
    There,
    /// A gateway answered that it is not, or nobody did.
    NotThere,
}

/// The units that answer, that of the settings first, with the tables that each has.
///
/// # Errors
/// Where nothing listens, and where no unit answers.
pub(crate) async fn units(
    settings: &Settings,
    given: &Json,
    lookups: Lookups,
    time_max: Duration,
) -> Result<Vec<Discovered>, DriverError> {
    let timeout = settings.timeout.min(ANSWER_TIME_MAX);
    let settings = Settings { timeout, ..settings.clone() };
    let mut search = Search {
        client: Client::new(&settings, lookups),
        settings: &settings,
        end: Instant::now() + time_max,
        asked: [None; 256],
    };
    search.connect().await?;
    if search.takes_any_unit().await? {
        let unit = settings.unit;
        let tables = search.tables(unit).await?;
        let name = "a device of its own".to_owned();
        let detail = format!("it answers whatever the unit; {tables}");
        return Ok(vec![discovered(given, unit, name, detail)]);
    }
    let (found, stopped) = search.units().await?;
    if found.is_empty() {
        return Err(search.nobody(stopped));
    }
    let mut all = Vec::with_capacity(found.len());
    for (number, unit) in found.into_iter().enumerate() {
        let detail = match number < TABLES_OF_UNITS_MAX {
            true => search.tables(unit).await.unwrap_or_else(|_| ANSWERS.to_owned()),
            false => ANSWERS.to_owned(),
        };
        all.push(discovered(given, unit, format!("unit {unit}"), detail));
    }
    if let (Some(last), Some(stopped)) = (all.last_mut(), stopped) {
        last.detail.push_str("; ");
        last.detail.push_str(&stopped);
    }
    Ok(all)
}

struct Search<'s> {
    client: Client,
    settings: &'s Settings,
    end: Instant,
    /// What is known of each unit.
    asked: [Option<Answer>; 256],
}

impl Search<'_> {
    async fn connect(&mut self) -> Result<(), DriverError> {
        let connected = self.client.connect().await;
        connected.map_err(|error| match error {
            CallError::Failed(kind, cause) => self.failed(kind, cause),
            CallError::Exception(_) => self.failed(ErrorKind::Protocol, "no connection".to_owned()),
        })
    }

    fn failed(&self, kind: ErrorKind, cause: String) -> DriverError {
        DriverError::new(kind, "modbus", self.settings.endpoint(), cause)
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Whether something answers for units that are hardly all there.
    async fn takes_any_unit(&mut self) -> Result<bool, DriverError> {
        for unit in UNLIKELY {
            if self.ask(unit).await? == Answer::NotThere {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The units that are there; and why some were not asked, where that is so.
    async fn units(&mut self) -> Result<(Vec<u8>, Option<String>), DriverError> {
        let first = self.settings.unit;
        let start = if (1..=UNIT_MAX).contains(&first) { first } else { 1 };
        let order = [first, OF_ITS_OWN].into_iter().chain(start..=UNIT_MAX).chain(1..start);
        let mut found = Vec::new();
        for unit in order {
            let answer = match self.asked[usize::from(unit)] {
                Some(answer) => answer,
                None if self.is_over() => {
                    let why = format!(
                        "from unit {unit} on there was no time to ask: type {unit} as the unit and search again, or shorten the time-out"
                    );
                    return Ok((found, Some(why)));
                }
                None => match self.ask(unit).await {
                    Err(error) if !found.is_empty() => {
                        let why = format!("the search ended at unit {unit}: {}", error.cause);
                        return Ok((found, Some(why)));
                    }
                    asked => asked?,
                },
            };
            if answer == Answer::There && !found.contains(&unit) {
                found.push(unit);
            }
        }
        Ok((found, None))
    }

    /// Asks a unit for its first register, and where it fails, for one of another table: some servers tell of a failure
    /// for units that they do not have.
    async fn ask(&mut self, unit: u8) -> Result<Answer, DriverError> {
        let mut answered = self.read(unit, Table::Holding).await?;
        if answered == Some(Err(Refusal::Failure)) {
            answered = self.read(unit, Table::Input).await?;
        }
        let answer = match answered {
            Some(Ok(()) | Err(Refusal::Table | Refusal::Address)) => Answer::There,
            _ => Answer::NotThere,
        };
        self.asked[usize::from(unit)] = Some(answer);
        Ok(answer)
    }

    /// Which tables a unit has, in words.
    async fn tables(&mut self, unit: u8) -> Result<String, DriverError> {
        let mut known = Vec::new();
        for table in Table::ALL {
            if self.is_over() {
                break;
            }
            if let Some(Ok(()) | Err(Refusal::Address)) = self.read(unit, table).await? {
                known.push(match table {
                    Table::Coil => "coils",
                    Table::Discrete => "discrete inputs",
                    Table::Input => "input registers",
                    Table::Holding => "holding registers",
                });
            }
        }
        Ok(match known.is_empty() {
            true => ANSWERS.to_owned(),
            false => format!("it has {}", known.join(", ")),
        })
    }

    /// Reads the first of a table of a unit; none without an answer. A server that does not let us in again is an error.
    async fn read(
        &mut self,
        unit: u8,
        table: Table,
    ) -> Result<Option<Result<(), Refusal>>, DriverError> {
        self.connect().await?;
        Ok(match self.client.read(unit, table, 0, 1).await {
            Ok(_) => Some(Ok(())),
            Err(CallError::Exception(0x01)) => Some(Err(Refusal::Table)),
            Err(CallError::Exception(0x04)) => Some(Err(Refusal::Failure)),
            Err(CallError::Exception(0x0A | 0x0B)) => Some(Err(Refusal::Unit)),
            Err(CallError::Exception(_)) => Some(Err(Refusal::Address)),
            // Servers are silent, hang up, or answer as another unit.
            Err(CallError::Failed(..)) => None,
        })
    }

    fn nobody(&self, stopped: Option<String>) -> DriverError {
        match stopped {
            None => {
                let cause = format!(
                    "something listens there, but none of the units 1 to {UNIT_MAX} and {OF_ITS_OWN} answers; check that it is Modbus, and the line behind a gateway"
                );
                self.failed(ErrorKind::Rejected, cause)
            }
            Some(why) => {
                self.failed(ErrorKind::Timeout, format!("no unit has answered so far; {why}"))
            }
        }
    }
}

/// What a unit, or the gateway before it, will not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// There is no such table.
    Table,
    /// There is no such address in it, or it does not answer now.
    Address,
    /// It failed (exception 04).
    Failure,
    /// There is no such unit.
    Unit,
}

fn discovered(given: &Json, unit: u8, name: String, detail: String) -> Discovered {
    let mut settings = given.clone();
    settings["unit"] = json!(unit);
    Discovered { name, detail, settings, certificate: None }
}

#[cfg(test)]
mod tests;
