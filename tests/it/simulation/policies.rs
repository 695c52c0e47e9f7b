//! The numbers of a decision come from two sides: the provider's profile, and how the app is told.

use teller::transaction::AppId;

use super::world::{Plan, World};
use crate::core::fixture::key;

#[test]
fn every_configured_app_is_told_as_the_notifier_says_and_no_other() {
    let plan = Plan::reference(1, 0);
    let expected = plan.policy.clone();
    assert!(expected.notify.is_some());
    World::new(plan).live(0, |life| async move {
        let known = key(0).app;
        assert_eq!(life.house.policy("reference", &known), Some(&expected));
        // Its transactions may outlive its configuration.
        let stranger = AppId::parse("stranger").expect("a legal name");
        let untold = life.house.policy("reference", &stranger).expect("numbers");
        assert_eq!(untold.notify, None);
        assert_eq!(untold.ghost_window, expected.ghost_window);
        assert_eq!(life.house.policy("nobody", &known), None);
    });
}
