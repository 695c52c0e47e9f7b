//! Numbers from a seed, the same on every machine.

/// A stream of them (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Seed(u64);

impl Seed {
    /// A stream of its own for each `purpose`, so that drawing more for one changes no other.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let mixed = purpose
            .bytes()
            .fold(seed ^ 0x9e37_79b9_7f4a_7c15, |mixed, byte| {
                (mixed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        Self(mixed)
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// 0 to `bound` - 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound.max(1)
    }

    /// 0.0 to 1.0, without 1.0.
    pub(crate) fn share(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.share() < probability
    }

    /// The wait until the next of events that come `per_second` on average, independent of each other.
    pub(crate) fn wait_ms(&mut self, per_second: f64) -> f64 {
        -(1.0 - self.share()).ln() / per_second * 1_000.0
    }
}

#[test]
fn a_stream_repeats_and_its_waits_have_the_right_mean() {
    let draws = |seed| {
        (0..5)
            .map(|_| 0)
            .scan(Seed::new(seed, "x"), |s, _| Some(s.draw()))
            .collect::<Vec<_>>()
    };
    assert_eq!(draws(1), draws(1));
    assert_ne!(draws(1), draws(2));
    let mut seed = Seed::new(7, "waits");
    let mean = (0..100_000).map(|_| seed.wait_ms(50.0)).sum::<f64>() / 100_000.0;
    assert!((19.5..20.5).contains(&mean), "{mean}");
}
