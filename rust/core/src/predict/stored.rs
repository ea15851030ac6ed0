//! Which fields of a model are kept over a restart, in this order.

use super::calibrate::{Bin, Calibration};
use super::codec::{Stored, stored};
use super::history::{Node, Scope};
use super::judge::Judge;
use super::mix::{Mixer, Weights};
use super::model::{Agent, Everybody, Tenant};
use super::repeats::{Repeats, Ways};
use super::source::Source;
use super::template::{Share, Slot, Template, Which};
use super::tool::{Pair, Tool};
use super::transform::Transform;
use super::trust::{Said, Trust};
use super::words::{Common, Words};

stored!(Tenant { names, scope, siblings, mixer, words, repeats, common, judge, year, agents, tools, pool, unguessed } default used_at);
stored!(Agent { scope });
stored!(Everybody {
    mixer,
    repeats,
    judge,
    scope
});
stored!(Judge {
    outcomes,
    weights,
    moved
});
stored!(Trust {
    decisions,
    bins,
    is_live
});
stored!(Said {
    tried,
    chances,
    hits
});
stored!(Repeats { kinds });
stored!(Ways {
    same_call,
    same_tool,
    other,
    end
});
stored!(Common { words });
stored!(Scope { decisions, nodes });
stored!(Node { stamp, targets });
stored!(Words { nodes });
stored!(Mixer { sets });
stored!(Weights { decisions, each });
stored!(Tool {
    stems,
    lessons,
    key_sets,
    slots,
    pairs,
    same,
    calibration,
    trust,
    form
});
stored!(Slot {
    templates,
    constants
});
stored!(Template {
    source,
    transform,
    which,
    all,
    ranks,
    contexts
});
stored!(Share { tried, right });
stored!(Pair { tried, at });
stored!(Calibration { bins, outcomes } default table);
stored!(Bin { tried, hits, late });

impl Stored for Transform {
    fn write(&self, out: &mut Vec<u8>) {
        self.code().write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Self::from_code(u8::read(from)?)
    }
}

impl Stored for Which {
    fn write(&self, out: &mut Vec<u8>) {
        (*self as u8).write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Self::ALL.get(usize::from(u8::read(from)?)).copied()
    }
}

impl Stored for Source {
    fn write(&self, out: &mut Vec<u8>) {
        let (code, one, other) = match self {
            Self::Result { tool, path } => (1_u8, *tool, *path),
            Self::Text { tool, shape } => (2, *tool, *shape),
            Self::Input { shape, left } => (3, *shape, *left),
            Self::Argument { tool, path } => (4, *tool, *path),
            Self::Constant { value } => {
                5_u8.write(out);
                value.write(out);
                return;
            }
        };
        code.write(out);
        one.write(out);
        other.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let code = u8::read(from)?;
        if code == 5 {
            return Some(Self::Constant {
                value: Stored::read(from)?,
            });
        }
        let (one, other) = (u64::read(from)?, u64::read(from)?);
        match code {
            1 => Some(Self::Result {
                tool: one,
                path: other,
            }),
            2 => Some(Self::Text {
                tool: one,
                shape: other,
            }),
            3 => Some(Self::Input {
                shape: one,
                left: other,
            }),
            4 => Some(Self::Argument {
                tool: one,
                path: other,
            }),
            _ => None,
        }
    }
}
