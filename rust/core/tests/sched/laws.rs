//! The scheduler against a slow obvious model: same order, same actions, nothing lost.

use proptest::prelude::*;

use crate::steps::{parallel, steps};
use crate::story::Story;

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// After each step the answers and actions of both are equal; at the end nothing is left.
    #[test]
    fn the_scheduler_does_what_the_model_does(parallel in parallel(), steps in steps()) {
        let mut story = Story::new(parallel);
        for step in &steps {
            story.play(step);
            story.check();
        }
        story.finish();
    }

    #[test]
    fn the_same_story_has_the_same_trace(parallel in parallel(), steps in steps()) {
        let traces = [(); 2].map(|()| {
            let mut story = Story::new(parallel);
            for step in &steps {
                story.play(step);
            }
            story.trace
        });
        prop_assert_eq!(&traces[0], &traces[1]);
    }
}
