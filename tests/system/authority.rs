//! A certificate authority for one test: it lives in a directory of its own.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// Signs certificates that nobody else trusts.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: PathBuf,
    directory: TempDir,
}

/// A certificate and its key, as PEM files of the authority that made them.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// The certificate.
    pub(crate) certificate: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
}

impl Authority {
    /// A new one.
    pub(crate) fn new() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let pem = parameters.self_signed(&key)?.pem();
        let certificate = directory.path().join("authority.pem");
        fs::write(&certificate, pem).context("writing a certificate")?;
        Ok(Self {
            issuer: Issuer::new(parameters, key),
            certificate,
            directory,
        })
    }

    /// The file with its own certificate: who has it trusts the authority.
    pub(crate) fn certificate(&self) -> &PathBuf {
        &self.certificate
    }

    /// Makes a certificate for the host or client `name`.
    pub(crate) fn issue(&self, name: &str) -> Result<Paths> {
        let key = KeyPair::generate()?;
        let parameters = CertificateParams::new([name.to_owned()])?;
        let signed = parameters.signed_by(&key, &self.issuer)?;
        let path = |kind: &str| self.directory.path().join(format!("{name}.{kind}.pem"));
        let paths = Paths {
            certificate: path("certificate"),
            key: path("key"),
        };
        fs::write(&paths.certificate, signed.pem()).context("writing a certificate")?;
        fs::write(&paths.key, key.serialize_pem()).context("writing a key")?;
        Ok(paths)
    }
}
