//! The limiter against the naive model: same answers, same order, nothing lost.

use proptest::prelude::*;

use crate::steps::{limits, steps};
use crate::story::Story;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// After each step both agree; when all has ended, every limit is at rest.
    #[test]
    fn the_limiter_does_what_the_model_does(limits in limits(), steps in steps(120)) {
        let mut story = Story::new(&limits);
        for step in &steps {
            story.play(step);
            story.check();
        }
        story.finish();
    }

    #[test]
    fn the_same_story_has_the_same_trace(limits in limits(), steps in steps(60)) {
        let traces = [(); 2].map(|()| {
            let mut story = Story::new(&limits);
            for step in &steps {
                story.play(step);
            }
            story.trace
        });
        prop_assert_eq!(&traces[0], &traces[1]);
    }
}
