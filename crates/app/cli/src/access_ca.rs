//! `bartizan access ca`: certificates for the door and for workloads, where there is no authority yet.

use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use bartizan_core::Secret;
use bartizan_signing::{Issued, Purpose, SubjectName, issue, make_authority};
use clap::Subcommand;

use crate::call::print;
use crate::exit::Ended;

/// Where the authority's files are.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  bartizan access ca init
  bartizan access ca issue --server --dns models.example.org --ip 10.0.0.5 --out door
  bartizan access ca issue --client --uri spiffe://example.org/ns/ml/sa/trainer --days 7 --out trainer

Then, in bartizan.toml:
  [gateway.tls]
  certificate = \"door.pem\"
  key = \"door.key\"
  client_ca = \"ca/ca.pem\"")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// Folder with `ca.pem` and `ca.key`
    #[arg(long, default_value = "ca", global = true)]
    dir: PathBuf,
}

#[derive(Subcommand)]
enum Verb {
    /// Make an authority: `ca.pem` to hand out, `ca.key` to keep
    Init {
        /// Its name
        #[arg(long, default_value = "Bartizan CA")]
        name: String,
        /// Days that it is valid
        #[arg(long, default_value_t = 1825)]
        days: u32,
    },
    /// Issue a certificate and its key: OUT.pem and OUT.key
    Issue {
        /// For a server, such as the door
        #[arg(long, required_unless_present = "client", conflicts_with = "client")]
        server: bool,
        /// For a client, such as a workload
        #[arg(long)]
        client: bool,
        /// Host name; may be repeated
        #[arg(long)]
        dns: Vec<String>,
        /// Address; may be repeated
        #[arg(long)]
        ip: Vec<IpAddr>,
        /// URI, such as a SPIFFE ID
        #[arg(long)]
        uri: Vec<String>,
        /// Days that it is valid
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// Where to write, without `.pem` and `.key`
        #[arg(long, value_name = "PATH")]
        out: PathBuf,
    },
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Ended> {
    let (certificate, key) = (arguments.dir.join("ca.pem"), arguments.dir.join("ca.key"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = i64::try_from(now)?;
    match &arguments.verb {
        Verb::Init { name, days } => {
            let authority = make_authority(name, *days, now)?;
            std::fs::create_dir_all(&arguments.dir)
                .with_context(|| format!("can't make the folder {}", arguments.dir.display()))?;
            write(&authority, &certificate, &key)?;
            print(&format!(
                "made {} to hand out, and {} to keep: whoever has it can be anybody\n",
                certificate.display(),
                key.display()
            ))?;
        }
        Verb::Issue { client, dns, ip, uri, days, out, .. } => {
            let read = |path: &Path| {
                std::fs::read_to_string(path).with_context(|| {
                    format!("can't read {}; make an authority with `bartizan access ca init`, or name its folder with `--dir`", path.display())
                })
            };
            let authority = Issued { certificate: read(&certificate)?, key: Secret::new(read(&key)?) };
            let names: Vec<SubjectName> = uri
                .iter()
                .cloned()
                .map(SubjectName::Uri)
                .chain(dns.iter().cloned().map(SubjectName::Dns))
                .chain(ip.iter().copied().map(SubjectName::Ip))
                .collect();
            let purpose = if *client { Purpose::Client } else { Purpose::Server };
            let issued = issue(&authority, &names, purpose, *days, now)?;
            let (certificate, key) = (with_ending(out, "pem"), with_ending(out, "key"));
            write(&issued, &certificate, &key)?;
            print(&format!("wrote {} and {}, valid for {days} days\n", certificate.display(), key.display()))?;
        }
    }
    Ok(Ended::Well)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// Writes both files, or neither over what is there already: a key that is lost can't be had again.
fn write(issued: &Issued, certificate: &Path, key: &Path) -> anyhow::Result<()> {
    for path in [certificate, key] {
        anyhow::ensure!(!path.exists(), "{} is there already; move it away, or write elsewhere", path.display());
    }
    for (path, mode, text) in [(key, 0o600, issued.key.expose().as_str()), (certificate, 0o644, &issued.certificate)] {
        let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
        let written = opened.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
        written.with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}
