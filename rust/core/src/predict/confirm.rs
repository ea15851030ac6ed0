//! How often real calls have confirmed what binds a guess: what safety asks before data leaves.
//!
//! Ground rules. Of several arguments the least confirmed one counts; what the model has said itself
//! needs no confirmation. Counts are those of the tenant, and halve as its counts do.

use super::bind::{Bound, CLOSED};
use super::model::Tenant;
use super::tool::Tool;

/// Real calls of the tenant that had their values from where this binding has them. Of a call without
/// values, how often the tool was called.
pub(crate) fn confirmed(tenant: &Tenant, tool: &Tool, bound: &Bound) -> u32 {
    let counts = bound.leaves.iter().map(|(path, _, template)| {
        match (tool.template(*path, *template), *template) {
            (Some(known), _) => known.all.right,
            (None, CLOSED) => f32::MAX,
            // The last call once more: what is confirmed is that calls are made again.
            (None, _) => tenant
                .repeats
                .kinds
                .values()
                .map(|ways| ways.same_call)
                .sum(),
        }
    });
    let least = counts.fold(f32::MAX, f32::min);
    let least = if bound.leaves.is_empty() {
        tool.lessons
    } else {
        least
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole confirmations, and as many as fit"
    )]
    let whole = least as u32;
    whole
}
