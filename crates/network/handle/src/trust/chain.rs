use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::trust::{Claims, Grant, Jws, Scope, digest, for_each_signed};
use crate::wire::List;
use crate::{Error, PublicKey, Reference, Value, name};

/// Most certificates between a signature and its anchor.
pub const CHAIN_MAX: usize = 8;
/// Most certificates that are looked at for one signature; further ones are ignored.
pub const CERTIFICATES_MAX: usize = 64;
/// Most signatures that are verified for one: whoever publishes certificates decides how many
/// ways there are.
const VERIFICATIONS_MAX: u32 = 64;

/// A key that is trusted without a certificate.
#[derive(Debug, Clone)]
pub struct Anchor<'a> {
    /// Whose it is, as issuers are named: `300:0.NA/0.0`.
    pub id: &'a str,
    /// The key.
    pub key: PublicKey<'a>,
    /// What it may sign.
    pub grants: Vec<Grant>,
}

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The issuers from the signature's own to the anchor.
    pub issuers: Vec<String>,
    /// Indexes of values that are as they were signed.
    pub signed: Vec<i32>,
    /// Indexes of values that are there and were not signed.
    pub unsigned: Vec<i32>,
    /// Indexes that were signed and are not there: the resolution may have left them out.
    pub missing: Vec<i32>,
}

/// Whether a record is as a signature says, and the signature's issuer may sign it. `values` may
/// be a part of the record; `certificates` are data of HS_CERT in any order; `now` is in seconds
/// since 1970.
///
/// # Errors
/// [`Error::Trust`] with the first thing that is wrong, and those of [`Jws::read`].
pub fn verify_record(
    handle: &[u8],
    values: &List<'_, Value<'_>>,
    signature: &[u8],
    certificates: &[&[u8]],
    anchors: &[Anchor<'_>],
    now: i64,
) -> Result<Verified, Error> {
    let jws = Jws::read(signature)?;
    if !name::same(jws.claims.sub.as_bytes(), handle) {
        return Err(Error::Trust { why: "the signature is of another record" });
    }
    let mut verified = compare(values, &jws.claims)?;
    let needs = [Grant::new(Scope::ThisHandle, &jws.claims.sub)];
    verified.issuers = Search::new(certificates, anchors, now).issuers(&jws, &needs)?;
    Ok(verified)
}

/// Whether a certificate leads to an anchor. Gives its issuers, from its own to the anchor.
///
/// # Errors
/// As [`verify_record`].
pub fn verify_certificate(
    certificate: &[u8],
    certificates: &[&[u8]],
    anchors: &[Anchor<'_>],
    now: i64,
) -> Result<Vec<String>, Error> {
    let jws = Jws::read(certificate)?;
    let needs = needs(&jws.claims);
    Search::new(certificates, anchors, now).issuers(&jws, &needs)
}

fn compare(values: &List<'_, Value<'_>>, claims: &Claims) -> Result<Verified, Error> {
    let digests =
        claims.digests.as_ref().ok_or(Error::Trust { why: "the signature has no digests" })?;
    let mut said: HashMap<i32, &str> = HashMap::with_capacity(digests.digests.len());
    for each in &digests.digests {
        if said.insert(each.index, &each.digest).is_some() {
            return Err(Error::Trust { why: "the signature has two digests of one value" });
        }
    }
    let (mut signed, mut unsigned) = (Vec::new(), Vec::new());
    for_each_signed(values, |value, wire| {
        match said.remove(&value.index) {
            None => unsigned.push(value.index),
            Some(said) => {
                let made = digest(&digests.alg, wire)?;
                if STANDARD.decode(said).ok().as_deref() != Some(&made) {
                    return Err(Error::Trust { why: "a value is not as it was signed" });
                }
                signed.push(value.index);
            }
        }
        Ok(())
    })?;
    let mut missing: Vec<_> = said.into_keys().collect();
    missing.sort_unstable();
    Ok(Verified { issuers: Vec::new(), signed, unsigned, missing })
}

/// What the issuer of a certificate must be allowed to sign: the subject, and all that is granted.
fn needs(claims: &Claims) -> Vec<Grant> {
    let subject = subject_handle(claims);
    let filled = |grant: &Grant| match (&grant.handle, grant.perm) {
        (None, perm) => Grant::new(perm, subject),
        (Some(_), _) => grant.clone(),
    };
    let granted = claims.perms.iter().flatten().map(filled);
    std::iter::once(Grant::new(Scope::ThisHandle, subject)).chain(granted).collect()
}

fn subject_handle(claims: &Claims) -> &str {
    let handle = Reference::parse(&claims.sub).handle;
    std::str::from_utf8(handle).unwrap_or(&claims.sub)
}

fn same_identity(one: &str, other: &str) -> bool {
    let (one, other) = (Reference::parse(one), Reference::parse(other));
    one.index == other.index && name::same(one.handle, other.handle)
}

/// A walk over the certificates, depth first, within the bounds.
struct Search<'s> {
    certificates: Vec<(Jws<'s>, Vec<u8>)>,
    anchors: &'s [Anchor<'s>],
    now: i64,
    verifications: u32,
}

impl<'s> Search<'s> {
    /// Certificates that cannot be read, or have no key, are of no use and left out.
    fn new(certificates: &'s [&'s [u8]], anchors: &'s [Anchor<'s>], now: i64) -> Self {
        let read = |data: &&'s [u8]| {
            let jws = Jws::read(data).ok()?;
            let mut key = Vec::new();
            jws.claims.public_key.as_ref()?.encode(&mut key).ok()?;
            Some((jws, key))
        };
        let certificates = certificates.iter().take(CERTIFICATES_MAX).filter_map(read).collect();
        Self { certificates, anchors, now, verifications: VERIFICATIONS_MAX }
    }

    fn issuers(mut self, jws: &Jws<'_>, needs: &[Grant]) -> Result<Vec<String>, Error> {
        let certificates = std::mem::take(&mut self.certificates);
        let mut issuers = Vec::new();
        self.step(&certificates, jws, needs, &mut issuers)?;
        Ok(issuers)
    }

    /// Finds who may have signed `jws`; recursion ends at [`CHAIN_MAX`].
    fn step(
        &mut self,
        certificates: &[(Jws<'s>, Vec<u8>)],
        jws: &Jws<'_>,
        needs: &[Grant],
        issuers: &mut Vec<String>,
    ) -> Result<(), Error> {
        if !jws.claims.in_time(self.now) {
            return Err(Error::Trust { why: "it is not valid at this time" });
        }
        let issuer = &jws.claims.iss;
        if issuers.len() > CHAIN_MAX {
            return Err(Error::Trust { why: "the chain is too long" });
        }
        issuers.push(issuer.clone());
        let mut why = Error::Trust { why: "no certificate of the issuer leads to an anchor" };
        for anchor in self.anchors.iter().filter(|anchor| same_identity(anchor.id, issuer)) {
            match self.link(jws, needs, &anchor.key, &anchor.grants, anchor.id) {
                Ok(()) => return Ok(()),
                Err(error) => why = error,
            }
        }
        for (certificate, key) in certificates {
            if !same_identity(&certificate.claims.sub, issuer) {
                continue;
            }
            let subject = subject_handle(&certificate.claims);
            let granted = certificate.claims.perms.as_deref().unwrap_or_default();
            let depth = issuers.len();
            let link = PublicKey::decode(key)
                .and_then(|key| self.link(jws, needs, &key, granted, subject))
                .and_then(|()| {
                    let needs = self::needs(&certificate.claims);
                    self.step(certificates, certificate, &needs, issuers)
                });
            match link {
                Ok(()) => return Ok(()),
                Err(error) => {
                    issuers.truncate(depth);
                    why = error;
                }
            }
        }
        Err(why)
    }

    /// One link: the key signed it, and may.
    fn link(
        &mut self,
        jws: &Jws<'_>,
        needs: &[Grant],
        key: &PublicKey<'_>,
        granted: &[Grant],
        own: &str,
    ) -> Result<(), Error> {
        let held = |need: &Grant| granted.iter().any(|grant| grant.covers(own, need, own));
        if !needs.iter().all(held) {
            return Err(Error::Trust { why: "the issuer may not sign this" });
        }
        self.verifications = self
            .verifications
            .checked_sub(1)
            .ok_or(Error::Trust { why: "there are too many certificates" })?;
        jws.verify(key)
    }
}
