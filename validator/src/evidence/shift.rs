//! Moves facts from the clock of the pod that saw them to the validator's.

use super::{
    CallFact, ConnectionFact, ExportFact, Fact, FaultFact, Heartbeat, Held, MiddleTrouble, Millis,
    OutgoingFact,
};
use super::{ProbeFact, RequestFact, SecondFact, TraceFact};

impl Fact {
    /// The same fact, told by a clock that is `offset` ms behind. Times inside spans are the service's own and stay.
    pub fn shifted(self, offset: Millis) -> Self {
        let back = |at: Millis| at - offset;
        match self {
            Self::Second(f) => Self::Second(SecondFact { at: back(f.at), ..f }),
            Self::Request(f) => Self::Request(RequestFact { due: back(f.due), sent: back(f.sent), ..f }),
            Self::Connection(f) => {
                Self::Connection(ConnectionFact { opened: back(f.opened), ended: back(f.ended), ..f })
            }
            Self::Probe(f) => Self::Probe(ProbeFact { from: back(f.from), to: back(f.to), ..f }),
            Self::Trace(f) => Self::Trace(TraceFact { at: back(f.at), ..f }),
            Self::Export(f) => Self::Export(ExportFact { at: back(f.at), ..f }),
            Self::Trouble(f) => Self::Trouble(MiddleTrouble { at: back(f.at), ..f }),
            Self::Call(f) => Self::Call(CallFact { at: back(f.at), ..f }),
            Self::Outgoing(f) => Self::Outgoing(OutgoingFact { at: back(f.at), ..f }),
            Self::Heartbeat(f) => Self::Heartbeat(Heartbeat { at: back(f.at), since: back(f.since), ..f }),
            Self::Fault(f) => {
                let held = |h: Held| Held { from: back(h.from), to: back(h.to), ..h };
                Self::Fault(FaultFact {
                    began: back(f.began),
                    ended: back(f.ended),
                    first_hit: f.first_hit.map(back),
                    last_hit: f.last_hit.map(back),
                    met_again: f.met_again.map(back),
                    held: f.held.into_iter().map(held).collect(),
                    ..f
                })
            }
            // Seen by the validator itself.
            other @ (Self::Step(_) | Self::Object(_) | Self::Gap(_) | Self::Agent(_) | Self::Middle(_)) => {
                other
            }
        }
    }
}
