//! Limits: what may start now, and what that costs.

pub mod adaptive;
pub mod allowance;
pub mod feedback;

pub use adaptive::{Adaptive, AdaptiveConfig, End, Mode};
pub use allowance::Allowance;
pub use feedback::{Feedback, Follow, Follower, Reading, Restraint};
