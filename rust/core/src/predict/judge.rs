//! How likely a guess comes true, given what is known of it: a logistic regression, learned online.
//!
//! Ground rules. A raw chance is a product of shares, as if none had to do with another; its signs
//! correct it. Signs are the same for every tool and name none, so weights are shared: a tenant's
//! own count as far as it has seen outcomes, those of everybody beside them. Averages only: two judges
//! merge by their outcomes.

/// Signs of a guess.
pub(crate) const SIGNS: usize = 27;
/// What is known of a guess, each about -2 to 2.
pub(crate) type Signs = [f32; SIGNS];

/// Where the signs have the raw chance.
pub(crate) const RAW: usize = 1;
/// Log-odds are divided by it.
const SCALE: f32 = 3.0;
const RATE: f32 = 0.1;
/// Outcomes of everybody that weigh as much as a tenant's own.
const BLEND: f32 = 1_000.0;

/// What each sign says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judge {
    pub(crate) outcomes: f32,
    pub(crate) weights: Signs,
    /// Sums of squared slopes: what was moved often moves less (Duchi et al., 2011).
    pub(crate) moved: Signs,
}

impl Default for Judge {
    /// One that believes the raw chance.
    fn default() -> Self {
        let mut weights = [0.0; SIGNS];
        weights[RAW] = SCALE;
        Self {
            outcomes: 0.0,
            weights,
            moved: [1.0; SIGNS],
        }
    }
}

impl Judge {
    /// The chance of a guess; as long as this tenant has seen few, rather as everybody sees it.
    pub(crate) fn chance(&self, everybody: &Self, signs: &Signs) -> f32 {
        let own = self.outcomes / (self.outcomes + BLEND);
        let others = (1.0 - own) * dot(&everybody.weights, signs);
        logistic(own.mul_add(dot(&self.weights, signs), others))
    }

    /// Moves the weights towards what became of a guess.
    pub(crate) fn learn(&mut self, signs: &Signs, hit: bool) {
        let surprise = f32::from(u8::from(hit)) - logistic(dot(&self.weights, signs));
        for ((weight, moved), sign) in self.weights.iter_mut().zip(&mut self.moved).zip(signs) {
            let slope = surprise * sign;
            *moved += slope * slope;
            *weight += RATE * slope / moved.sqrt();
        }
        self.outcomes += 1.0;
    }
}

fn dot(weights: &Signs, signs: &Signs) -> f32 {
    weights
        .iter()
        .zip(signs)
        .map(|(weight, sign)| weight * sign)
        .sum()
}

fn logistic(score: f32) -> f32 {
    1.0 / (1.0 + (-score).exp())
}

/// A chance as a sign: its log-odds.
pub(crate) fn odds(chance: f32) -> f32 {
    let chance = chance.clamp(1e-3, 1.0 - 1e-3);
    (chance / (1.0 - chance)).ln() / SCALE
}
