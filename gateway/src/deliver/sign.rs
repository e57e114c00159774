//! Signatures of the Standard Webhooks: `v1` with a secret that both sides have, `v1a` with a key whose public half the
//! receiver has. Every message bears both, of every secret that is not over yet.

use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::Sha256;
use thiserror::Error;

/// A secret and a key, as they are kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    shared: Vec<u8>,
    private: [u8; 32],
}

/// A secret that is not as this gateway writes them.
#[derive(Debug, Error)]
#[error("a secret in the database is not as this gateway writes them: it begins with {prefix:?}, then base 64")]
pub struct Unreadable {
    prefix: &'static str,
}

const SHARED: &str = "whsec_";
const PRIVATE: &str = "whsk_";
const PUBLIC: &str = "whpk_";

impl Secret {
    /// A new one.
    pub fn new() -> Self {
        let (mut shared, mut private) = (vec![0; 32], [0; 32]);
        rand::rng().fill_bytes(&mut shared);
        rand::rng().fill_bytes(&mut private);
        Self { shared, private }
    }

    /// From how it is kept.
    ///
    /// # Errors
    ///
    /// Where it was kept by nobody who writes as this gateway does.
    pub fn read(shared: &str, private: &str) -> Result<Self, Unreadable> {
        let decode = |text: &str, prefix: &'static str| {
            let bytes = text.strip_prefix(prefix).and_then(|text| BASE64_STANDARD.decode(text).ok());
            bytes.ok_or(Unreadable { prefix })
        };
        let private = decode(private, PRIVATE)?.try_into().map_err(|_| Unreadable { prefix: PRIVATE })?;
        Ok(Self { shared: decode(shared, SHARED)?, private })
    }

    /// The secret of `v1`, which the receiver has too.
    pub fn shared(&self) -> String {
        format!("{SHARED}{}", BASE64_STANDARD.encode(&self.shared))
    }

    /// The private half of the key of `v1a`.
    pub fn private(&self) -> String {
        format!("{PRIVATE}{}", BASE64_STANDARD.encode(self.private))
    }

    /// Its public half, by which anybody can check and nobody sign.
    pub fn public(&self) -> String {
        format!("{PUBLIC}{}", BASE64_STANDARD.encode(SigningKey::from_bytes(&self.private).verifying_key()))
    }

    /// Both signatures, as they stand in the header.
    fn sign(&self, content: &[u8]) -> Option<String> {
        // A key may have any length, so there is always one.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.shared).ok()?;
        mac.update(content);
        let symmetric = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        let asymmetric = BASE64_STANDARD.encode(SigningKey::from_bytes(&self.private).sign(content).to_bytes());
        Some(format!("v1,{symmetric} v1a,{asymmetric}"))
    }
}

impl Default for Secret {
    fn default() -> Self {
        Self::new()
    }
}

/// Without what is secret.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("public", &self.public()).finish_non_exhaustive()
    }
}

/// The value of `webhook-signature` for a message that is sent at `seconds`: the present secret's signatures first.
pub fn signature(secrets: &[Secret], id: &str, seconds: i64, body: &str) -> String {
    let content = format!("{id}.{seconds}.{body}");
    let signatures: Vec<String> = secrets.iter().filter_map(|secret| secret.sign(content.as_bytes())).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_back_from_how_it_is_kept_and_is_not_shown() {
        let secret = Secret::new();
        assert_eq!(Secret::read(&secret.shared(), &secret.private()).unwrap(), secret);
        assert_ne!(Secret::new(), secret);
        let shown = format!("{secret:?}");
        assert!(shown.contains("whpk_") && !shown.contains(&secret.shared()[6..]) && !shown.contains("whsk_"));
        for (shared, private) in [
            ("", ""),
            (secret.shared().as_str(), secret.shared().as_str()),
            (secret.private().as_str(), secret.private().as_str()),
            (secret.shared().as_str(), "whsk_AAAA"),
            ("whsec_!", secret.private().as_str()),
        ] {
            Secret::read(shared, private).unwrap_err();
        }
    }

    /// Made by other programs: `openssl dgst -sha256 -hmac …`, and Python's `cryptography` with the first key of RFC 8032.
    #[test]
    fn known_keys_give_known_values() {
        let shared = format!("whsec_{}", BASE64_STANDARD.encode("0123456789abcdef0123456789abcdef"));
        let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let secret = Secret::read(&shared, &format!("whsk_{}", BASE64_STANDARD.encode(seed))).unwrap();
        let public = hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
        assert_eq!(secret.public(), format!("whpk_{}", BASE64_STANDARD.encode(public)));
        let written = signature(std::slice::from_ref(&secret), "evt_1", 1_700_000_000, "{}");
        let expected = "v1,92tdonml60wZWeipEITTwvedjc9j20cnxAc7NEkh+JA= \
                        v1a,foU6A1vCbb8s5PIfWMUHPloRwUjN+M/01rWIRjGayznt14O9Rq8wbfspwR1SJ+Pp3GykPySUaOFxq/iNMEl2CA==";
        assert_eq!(written, expected);
        let two = signature(&[secret.clone(), Secret::new()], "evt_1", 1_700_000_000, "{}");
        assert!(two.starts_with(&format!("{written} v1,")) && two.split(' ').count() == 4, "{two}");
    }
}
