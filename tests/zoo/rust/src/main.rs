//! axum and reqwest on tokio: tasks that move between threads, `join_all` for
//! branches. Usage: zoo PORT

mod plan;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::Uri;
use rand::Rng;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::sleep;

use plan::{Plans, Request, Step, When};

struct Server {
    plans: Plans,
    client: reqwest::Client,
    jobs: UnboundedSender<(Arc<Request>, Step)>,
}

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1).expect("a port");
    let (jobs, queue) = unbounded_channel();
    let server = Arc::new(Server {
        plans: Plans::read(),
        client: reqwest::Client::new(),
        jobs,
    });
    tokio::spawn(work(Arc::clone(&server), queue));
    tokio::spawn(tick(Arc::clone(&server)));
    let app = Router::new().fallback(handle).with_state(server);
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await.expect("the port");
    axum::serve(listener, app).await.expect("serving");
}

async fn handle(State(server): State<Arc<Server>>, uri: Uri) -> &'static str {
    let request = Arc::new(server.plans.request(&uri));
    let mut after = Vec::new();
    for step in &request.steps {
        match step.when {
            When::Job => drop(server.jobs.send((Arc::clone(&request), step.clone()))),
            When::After => after.push(step.clone()),
            when => run(&server, &request, step, when).await,
        }
    }
    if !after.is_empty() {
        tokio::spawn(async move {
            for step in after {
                run(&server, &request, &step, When::After).await;
            }
        });
    }
    "done\n"
}

async fn run(server: &Arc<Server>, request: &Arc<Request>, step: &Step, when: When) {
    if let [branch] = step.branches.as_slice() {
        return run_branch(server, request, branch, when).await;
    }
    let mut branches = JoinSet::new();
    for branch in step.branches.clone() {
        let (server, request) = (Arc::clone(server), Arc::clone(request));
        branches.spawn(async move { run_branch(&server, &request, &branch, when).await });
    }
    branches.join_all().await;
}

async fn run_branch(server: &Server, request: &Request, branch: &[String], when: When) {
    for act in branch {
        if let Some(time) = plan::amount(act, 't') {
            let factor = rand::rng().random_range(0.5..1.5);
            sleep(time.mul_f64(factor)).await;
        } else if let Some(time) = plan::amount(act, 'c') {
            let start = Instant::now();
            while start.elapsed() < time {}
        } else {
            let url = server.plans.url(request, act, when);
            if let Ok(response) = server.client.get(url).send().await {
                drop(response.bytes().await);
            }
        }
    }
}

async fn work(server: Arc<Server>, mut queue: UnboundedReceiver<(Arc<Request>, Step)>) {
    while let Some((request, step)) = queue.recv().await {
        run(&server, &request, &step, When::Job).await;
    }
}

async fn tick(server: Arc<Server>) {
    while server.plans.has_timer() {
        let pause = rand::rng().random_range(50..150);
        sleep(Duration::from_millis(pause)).await;
        let request = Arc::new(server.plans.tick());
        for step in &request.steps {
            run(&server, &request, step, When::Timer).await;
        }
    }
}
