//! The three servers, each an actix system on a thread of its own, all with the same number of
//! workers.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, bail};
use serde_json::{Value, json};
use teller::adapters::journal::embedded::{EmbeddedJournal, Options};
use teller::adapters::journal::rawfile::RawFileJournal;
use teller::app::{Application, OpenJournal};
use teller::config::{Config, Overrides};
use teller::ports::{Append, AppendError, Expect, Journal, Summary};
use teller::transaction::{
    Acceptance, AppId, Inquiries, Key, Mono, NotifyPolicy, Now, OnAbsence, PayloadHash, Policy,
    Request, Timestamp, TransactionId, accept,
};
use uuid::Uuid;

/// Workers of each server: one per core of the machine that the comparison was made for.
const WORKERS: usize = 2;
/// The archive has to catch up within this long after a phase.
const SETTLE_DEADLINE: Duration = Duration::from_secs(60);

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Contender {
    Bare,
    RawFile,
    Teller,
}

impl Contender {
    pub(super) const ALL: [Self; 3] = [Self::Bare, Self::RawFile, Self::Teller];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::RawFile => "raw file",
            Self::Teller => "teller",
        }
    }
}

pub(super) struct Servers {
    addresses: [SocketAddr; 3],
    journal: Arc<EmbeddedJournal>,
}

impl Servers {
    pub(super) fn start(directory: &Path, rows: usize) -> anyhow::Result<Self> {
        let data = directory.join("data");
        if data.exists() {
            std::fs::remove_dir_all(&data)?;
        }
        std::fs::create_dir_all(&data)?;
        let journal = Arc::new(EmbeddedJournal::open(Options {
            max_unfolded: 2_000_000,
            ..Options::new(&data)
        })?);
        fill(&journal, rows)?;
        let raw = RawFileJournal::create(&directory.join("raw.log"))?;
        let provider = silent_provider()?;
        let bare = bare()?;
        let raw = teller(directory, &provider, Arc::new(raw))?;
        let teller = teller(
            directory,
            &provider,
            Arc::clone(&journal) as Arc<dyn Journal>,
        )?;
        Ok(Self {
            addresses: [bare, raw, teller],
            journal,
        })
    }

    pub(super) fn address(&self, contender: Contender) -> SocketAddr {
        self.addresses[contender as usize]
    }

    /// What one server still has to do must not be paid by the next.
    pub(super) fn settle(&self, contender: Contender) -> anyhow::Result<()> {
        if contender == Contender::Teller {
            wait_until_folded(&self.journal)?;
        }
        Ok(())
    }
}

/// Parses the same body and answers the same way, and does nothing else.
fn bare() -> anyhow::Result<SocketAddr> {
    async fn endpoint(body: web::Json<Value>) -> HttpResponse {
        HttpResponse::Accepted().json(json!({ "id": body["id"], "status": "pending" }))
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server =
                HttpServer::new(|| App::new().route("/v1/transactions", web::post().to(endpoint)));
            server
                .workers(WORKERS)
                .disable_signals()
                .listen(listener)?
                .run()
                .await
        })
    });
    Ok(address)
}

fn teller(
    directory: &Path,
    provider: &str,
    journal: Arc<dyn Journal>,
) -> anyhow::Result<SocketAddr> {
    let profile = concat!(env!("CARGO_MANIFEST_DIR"), "/providers/reference.toml");
    let held = std::fs::read_to_string(profile)?
        .replace("submissions_at_once = 2000", "submissions_at_once = 1");
    let profile = directory.join("held.toml");
    std::fs::write(&profile, held)?;
    let text = format!(
        "listen = \"127.0.0.1:0\"\nworkers = {WORKERS}\ndata_dir = \".\"\n[app]\nname = \"bench\"\n\
         [[provider]]\nprofile = \"held.toml\"\nbase_url = \"{provider}\"\n\
         [bounds]\nopen_transactions = 50000000\n"
    );
    let config = Config::parse(&text, &directory.join("teller.toml"), Overrides::default())?;
    let (send, address) = mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            // The journal outlives the benchmark; nobody waits for its failure or its end.
            let (never_fails, failed) = tokio::sync::watch::channel(None);
            let open = OpenJournal {
                journal,
                failed,
                close: Box::new(|| {}),
            };
            let application = Application::build_on(&config, open)?;
            send.send(application.address())?;
            application.run_until(std::future::pending()).await?;
            drop(never_fails);
            anyhow::Ok(())
        })
    });
    address
        .recv_timeout(Duration::from_secs(30))
        .context("the server did not start")
}

/// Takes connections and never answers, so that one submission is out and all others wait.
fn silent_provider() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        let held: Vec<_> = listener.incoming().collect();
        drop(held);
    });
    Ok(format!("http://{address}"))
}

/// Archives `rows` finished-looking transactions through the journal itself.
fn fill(journal: &Arc<EmbeddedJournal>, rows: usize) -> anyhow::Result<()> {
    const TASKS: usize = 512;
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()?;
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..TASKS {
            let journal = Arc::clone(journal);
            let share = rows / TASKS + usize::from(task < rows % TASKS);
            tasks.spawn(async move {
                for _ in 0..share {
                    while let Err(error) = journal.append(archived()).await {
                        match error {
                            // Full for the moment: the fill is faster than the fold.
                            AppendError::Unavailable(_) => tokio::task::yield_now().await,
                            other => bail!("filling: {other}"),
                        }
                    }
                }
                Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        anyhow::Ok(())
    })?;
    wait_until_folded(journal)?;
    println!("filled in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

fn archived() -> Append {
    static REQUEST: OnceLock<Arc<Request>> = OnceLock::new();
    let now = Now {
        lasting: None,
        wall: Timestamp::from_millis(1_767_225_600_000),
        mono: Mono::default(),
    };
    let request = REQUEST.get_or_init(|| {
        let payload = json!({ "phone": "255700000000", "reference": "invoice", "description": "Electricity" });
        let submit_by = now.wall + Duration::from_secs(3600);
        Arc::new(Request { provider: "reference".to_owned(), amount: None, submit_by, payload, traceparent: None })
    });
    let app = AppId::parse("bench").expect("a legal name");
    let key = Key {
        app,
        id: TransactionId(Uuid::new_v4()),
    };
    let acceptance = Acceptance {
        key: key.clone(),
        request: Arc::clone(request),
        payload_hash: PayloadHash([7; 32]),
    };
    let decision = accept(&acceptance, None, now, &policy());
    let mut summary = Summary::of(&decision.next, now);
    // Closed rows: recovery must not bring a million of them into memory.
    summary.open = false;
    Append {
        key,
        expect: Expect::Absent,
        tenure: None,
        records: decision.records,
        summary,
    }
}

fn policy() -> Policy {
    let minute = vec![Duration::from_secs(60)];
    Policy {
        ghost_window: None,
        ghost_margin: Duration::ZERO,
        resend_safe_for: None,
        inquiry: Inquiries::ALWAYS,
        inquiry_gaps: 1,
        pending_ladder: minute.clone(),
        retry_ladder: minute.clone(),
        review_ladder: minute.clone(),
        review_after: Duration::from_secs(3600),
        pending_review_after: Duration::from_secs(3600),
        on_absence: OnAbsence::Fail,
        max_attempts: 1,
        backoff_ladder: minute,
        submit_within: Duration::from_secs(3600),
        call_overdue_after: Duration::from_secs(60),
        max_pause: Duration::ZERO,
        notify: None::<NotifyPolicy>,
    }
}

fn wait_until_folded(journal: &EmbeddedJournal) -> anyhow::Result<()> {
    let deadline = Instant::now() + SETTLE_DEADLINE;
    while journal.stats().lag > 0 {
        if Instant::now() > deadline {
            bail!("the archive did not catch up: {:?}", journal.stats());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
