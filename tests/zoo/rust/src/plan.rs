//! What a server of the zoo is told to do: see ../../README.md.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::http::Uri;
use rand::Rng;

#[derive(Clone)]
pub struct Step {
    chance: u32,
    pub when: When,
    pub branches: Vec<Vec<String>>,
}

/// What a call is for.
#[derive(Clone, Copy)]
pub enum When {
    Now = 0,
    Job = 1,
    After = 2,
    Timer = 3,
}

/// An incoming request, or with id 0 a tick of the timer.
pub struct Request {
    id: u32,
    order: Option<String>,
    pub steps: Vec<Step>,
}

pub struct Plans {
    routes: BTreeMap<String, Vec<Step>>,
    backends: BTreeMap<String, String>,
    timer: Vec<Step>,
    counter: AtomicU32,
}

impl Plans {
    pub fn read() -> Self {
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        Self {
            routes: pairs(&variable("ROUTES"), ';')
                .map(|(name, plan)| (name, parse(&plan)))
                .collect(),
            backends: pairs(&variable("BACKENDS"), ';').collect(),
            timer: parse(&variable("TIMER")),
            counter: AtomicU32::new(1),
        }
    }

    pub fn request(&self, uri: &Uri) -> Request {
        let mut query: BTreeMap<_, _> = pairs(uri.query().unwrap_or_default(), '&').collect();
        let any = rand::rng().random_range(0..self.routes.len());
        let plan = self.routes.get(uri.path().trim_start_matches('/'));
        Request {
            id: query.get("id").and_then(|id| id.parse().ok()).unwrap_or(0),
            order: query.remove("order"),
            steps: chosen(plan.unwrap_or_else(|| self.routes.values().nth(any).expect("a route"))),
        }
    }

    pub fn has_timer(&self) -> bool {
        !self.timer.is_empty()
    }

    pub fn tick(&self) -> Request {
        Request {
            id: 0,
            order: None,
            steps: chosen(&self.timer),
        }
    }

    /// The URL of one call that this request causes.
    pub fn url(&self, request: &Request, backend: &str, when: When) -> String {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let id = (std::process::id() % 4096) << 20 | count << 2 | when as u32;
        let parent = request.id.wrapping_mul(2_654_435_761);
        let order = request.order.as_ref().map(|order| format!("&order={order}"));
        let order = order.unwrap_or_default();
        format!("http://{}?id={id}&parent={parent}{order}", self.backends[backend])
    }
}

/// The time in `t2` or `c0.5`; `None` for other acts.
pub fn amount(act: &str, letter: char) -> Option<Duration> {
    let milliseconds: f64 = act.strip_prefix(letter)?.parse().ok()?;
    Some(Duration::from_secs_f64(milliseconds / 1000.0))
}

fn parse(plan: &str) -> Vec<Step> {
    let steps = plan.split(',').filter(|text| !text.is_empty());
    steps.map(step).collect()
}

fn step(text: &str) -> Step {
    let (chance, text) = text.split_once('?').unwrap_or(("100", text));
    let (when, work) = text.split_once(':').unwrap_or(("now", text));
    Step {
        chance: chance.parse().expect("a percentage"),
        when: match when {
            "job" => When::Job,
            "after" => When::After,
            _ => When::Now,
        },
        branches: work
            .split('|')
            .map(|branch| branch.split('+').map(str::to_owned).collect())
            .collect(),
    }
}

fn chosen(plan: &[Step]) -> Vec<Step> {
    let mut random = rand::rng();
    let steps = plan.iter();
    steps.filter(|step| random.random_range(0..100) < step.chance).cloned().collect()
}

fn pairs(text: &str, separator: char) -> impl Iterator<Item = (String, String)> {
    let pairs = text.split(separator).filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned()))
}
