//! Random call graphs: what each route of a server does, in the words of
//! `tests/zoo/README.md`. The same seed gives the same graphs.

use super::leaf::Leaf;
use super::random::Random;

/// The routes, and what each server has one of.
const ROUTES: [&str; 5] = ["browse", "cart", "order", "search", "account"];
/// Back ends; the last one fails every time.
const BACKENDS: [&str; 9] = [
    "users", "stock", "price", "rates", "adverts", "audit", "mail", "places", "broken",
];
/// Of each route.
const MOST_STEPS: usize = 4;

/// What a server of the zoo is told.
#[derive(Clone, Debug)]
pub(super) struct Graph {
    /// Name and plan.
    pub(super) routes: Vec<(String, String)>,
    timer: String,
    backends: String,
}

impl Graph {
    /// Draws one whose calls go to these leaves.
    pub(super) fn random(random: &mut Random, leaves: &[&Leaf]) -> Self {
        let backend = |(index, name): (usize, &&str)| {
            let port = leaves[index % leaves.len()].port();
            format!("{name}=127.0.0.1:{port}/{name}")
        };
        let backends: Vec<_> = BACKENDS.iter().enumerate().map(backend).collect();
        let routes = ROUTES.iter().enumerate();
        Self {
            routes: routes
                .map(|(index, name)| ((*name).to_owned(), route(random, index)))
                .collect(),
            timer: "rates,30?adverts".to_owned(),
            backends: backends.join(";"),
        }
    }

    /// The fewest and the most calls that a request for this route causes.
    pub(super) fn calls(&self, route: &str) -> (u32, u32) {
        let plan = self.routes.iter().find(|(name, _)| name == route);
        let steps = plan.map_or("", |(_, plan)| plan).split(',');
        steps.fold((0, 0), |(fewest, most), step| {
            let always = !step.contains('?');
            let calls = calls(step);
            (fewest + u32::from(always) * calls, most + calls)
        })
    }

    /// The variables that tell a server of it.
    pub(super) fn environment(&self) -> [(&'static str, String); 3] {
        let routes = self.routes.iter();
        let routes: Vec<_> = routes
            .map(|(name, plan)| format!("{name}={plan}"))
            .collect();
        [
            ("ROUTES", routes.join(";")),
            ("TIMER", self.timer.clone()),
            ("BACKENDS", self.backends.clone()),
        ]
    }
}

/// How many calls a step makes.
fn calls(step: &str) -> u32 {
    let work = step.rsplit([':', '?']).next().unwrap_or_default();
    let acts = work.split(['|', '+']);
    acts.filter(|act| BACKENDS.contains(act)).count() as u32
}

/// The first route often queues a job and goes on with a call of its own; some
/// of the others call something after the response.
fn route(random: &mut Random, index: usize) -> String {
    let mut steps = Vec::new();
    if random.chance(40) {
        steps.push(pause(random));
    }
    if index == 0 {
        // The worker must keep up, or jobs end long after everything else.
        steps.push(format!("40?job:t2+{}", backend(random)));
        steps.push(backend(random));
    }
    for _ in 0..=random.below(MOST_STEPS) {
        steps.push(step(random));
    }
    if index > 0 && random.chance(40) {
        steps.push(format!("after:{}", backend(random)));
    }
    steps.join(",")
}

fn step(random: &mut Random) -> String {
    match random.below(100) {
        0..15 => pause(random),
        15..35 => format!("50?{}", backend(random)),
        35..60 => (0..2 + random.below(2))
            .map(|_| branch(random))
            .collect::<Vec<_>>()
            .join("|"),
        _ => backend(random),
    }
}

fn branch(random: &mut Random) -> String {
    match random.below(3) {
        0 => format!("{}+{}", pause(random), backend(random)),
        1 => format!("{}+{}", backend(random), backend(random)),
        _ => backend(random),
    }
}

fn pause(random: &mut Random) -> String {
    let amount = 1 + random.below(5);
    if random.chance(50) {
        format!("t{amount}")
    } else {
        format!("c0.{amount}")
    }
}

fn backend(random: &mut Random) -> String {
    (*random.pick(&BACKENDS)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_a_plan() {
        let plan = "t2,users,40?job:t2+mail,50?stock,price|c0.5+rates+users,after:audit";
        let graph = Graph {
            routes: vec![("browse".to_owned(), plan.to_owned())],
            timer: String::new(),
            backends: String::new(),
        };
        assert_eq!(graph.calls("browse"), (5, 7));
        assert_eq!(graph.calls("unknown"), (0, 0));
    }
}
