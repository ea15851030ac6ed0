//! The scheduler against a slow obvious model: same order, same actions, nothing lost.

#[path = "model/mod.rs"]
mod model;
#[path = "model/story.rs"]
mod story;

use proptest::prelude::*;
use story::{Story, steps};

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    /// After each step the answers and actions of both are equal; at the end nothing is left.
    #[test]
    fn the_scheduler_does_what_the_model_does(steps in steps()) {
        let mut story = Story::new();
        for step in &steps {
            story.play(step);
            story.check();
        }
        story.finish();
    }

    #[test]
    fn the_same_story_has_the_same_trace(steps in steps()) {
        let mut traces = Vec::new();
        for _ in 0..2 {
            let mut story = Story::new();
            for step in &steps {
                story.play(step);
            }
            traces.push(story.trace);
        }
        prop_assert_eq!(&traces[0], &traces[1]);
    }
}
