//! Public keys, and the algorithms whose signatures they check.

use std::sync::Arc;

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_ASN1,
    ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};

use super::encoding;

const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ID_EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ID_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ID_P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ID_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ID_RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

/// The length of an Ed25519 public key, in bytes.
const ED25519_KEY_BYTES: usize = 32;
/// Uncompressed points: a mark and two coordinates.
const P256_POINT_BYTES: usize = 65;
const P384_POINT_BYTES: usize = 97;
const UNCOMPRESSED: u8 = 4;
/// The two numbers of a signature on each curve, as RFC 9421 writes them: one after the other.
const P256_SIGNATURE_BYTES: usize = 64;
const P384_SIGNATURE_BYTES: usize = 96;
/// An RSA key in DER is longer than its modulus; a shorter one has less than 2048 bits.
const RSA_KEY_MIN_BYTES: usize = 2048 / 8;

/// An algorithm with a public key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PublicAlgorithm {
    Ed25519,
    EcdsaP256Sha256,
    EcdsaP384Sha384,
    RsaV15Sha256,
    RsaPssSha512,
}

/// A public key and the one algorithm that it is used with.
#[derive(Clone)]
pub(super) struct PublicKey {
    algorithm: PublicAlgorithm,
    bytes: Arc<[u8]>,
}

impl PublicKey {
    /// A key as bytes, as the algorithm itself writes it.
    pub(super) fn raw(algorithm: PublicAlgorithm, bytes: &[u8]) -> Option<Self> {
        let fits = match algorithm {
            PublicAlgorithm::Ed25519 => bytes.len() == ED25519_KEY_BYTES,
            PublicAlgorithm::EcdsaP256Sha256 => is_point(bytes, P256_POINT_BYTES),
            PublicAlgorithm::EcdsaP384Sha384 => is_point(bytes, P384_POINT_BYTES),
            PublicAlgorithm::RsaV15Sha256 | PublicAlgorithm::RsaPssSha512 => {
                bytes.len() > RSA_KEY_MIN_BYTES
            }
        };
        fits.then(|| Self {
            algorithm,
            bytes: bytes.into(),
        })
    }

    /// Reads PEM, or base64 of the DER that PEM wraps; for Ed25519 base64 of the 32 bytes as well.
    ///
    /// # Errors
    /// What a public key looks like.
    pub(super) fn read(algorithm: PublicAlgorithm, text: &str) -> Result<Self, String> {
        if text.contains("PRIVATE KEY-----") {
            return Err(
                "that is a private key, which only the provider should have: use the public one"
                    .to_owned(),
            );
        }
        let der = if text.starts_with("-----BEGIN") {
            SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes())
                .map_err(|_| {
                    "the PEM holds no public key: it should begin with -----BEGIN PUBLIC KEY-----"
                        .to_owned()
                })?
                .to_vec()
        } else {
            let bytes = encoding::base64_key(text)
                .ok_or("a public key is PEM, or base64 of DER without line breaks".to_owned())?;
            if let (PublicAlgorithm::Ed25519, ED25519_KEY_BYTES) = (algorithm, bytes.len()) {
                return Self::raw(algorithm, &bytes).ok_or_else(|| algorithm.unfit());
            }
            bytes
        };
        let info = SubjectPublicKeyInfoRef::try_from(der.as_slice())
            .map_err(|_| "the public key is no SubjectPublicKeyInfo in DER".to_owned())?;
        if !algorithm.takes(&info) {
            return Err(format!(
                "the public key is of another kind than {} needs",
                algorithm.name()
            ));
        }
        info.subject_public_key
            .as_bytes()
            .and_then(|bytes| Self::raw(algorithm, bytes))
            .ok_or_else(|| algorithm.unfit())
    }

    /// Whether it has signed `message`.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(self.algorithm.ring(signature.len()), &self.bytes)
            .verify(message, signature)
            .is_ok()
    }
}

impl PublicAlgorithm {
    /// Its name in RFC 9421's registry.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Self::RsaV15Sha256 => "rsa-v1_5-sha256",
            Self::RsaPssSha512 => "rsa-pss-sha512",
        }
    }

    /// For a signature of this length. RFC 9421 has the two numbers of ECDSA side by side; there are
    /// providers that write them in DER, as most tools do, and what they sign is as authentic.
    fn ring(self, signature_bytes: usize) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Ed25519 => &ED25519,
            Self::EcdsaP256Sha256 if signature_bytes == P256_SIGNATURE_BYTES => {
                &ECDSA_P256_SHA256_FIXED
            }
            Self::EcdsaP256Sha256 => &ECDSA_P256_SHA256_ASN1,
            Self::EcdsaP384Sha384 if signature_bytes == P384_SIGNATURE_BYTES => {
                &ECDSA_P384_SHA384_FIXED
            }
            Self::EcdsaP384Sha384 => &ECDSA_P384_SHA384_ASN1,
            Self::RsaV15Sha256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::RsaPssSha512 => &RSA_PSS_2048_8192_SHA512,
        }
    }

    /// Whether a key that says so of itself is for this algorithm.
    fn takes(self, info: &SubjectPublicKeyInfoRef<'_>) -> bool {
        let id = info.algorithm.oid;
        let is_on = |curve| info.algorithm.parameters_oid() == Ok(curve);
        match self {
            Self::Ed25519 => id == ID_ED25519,
            Self::EcdsaP256Sha256 => id == ID_EC && is_on(ID_P256),
            Self::EcdsaP384Sha384 => id == ID_EC && is_on(ID_P384),
            Self::RsaV15Sha256 => id == ID_RSA,
            Self::RsaPssSha512 => id == ID_RSA || id == ID_RSA_PSS,
        }
    }

    fn unfit(self) -> String {
        let wants = match self {
            Self::Ed25519 => "32 bytes",
            Self::EcdsaP256Sha256 | Self::EcdsaP384Sha384 => "an uncompressed point of its curve",
            Self::RsaV15Sha256 | Self::RsaPssSha512 => "2048 bits at least",
        };
        format!(
            "the public key doesn't fit {}, which wants {wants}",
            self.name()
        )
    }
}

fn is_point(bytes: &[u8], length: usize) -> bool {
    bytes.len() == length && bytes.first() == Some(&UNCOMPRESSED)
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, KeyPair,
    };

    use super::*;

    fn check(algorithm: PublicAlgorithm, signing: &'static EcdsaSigningAlgorithm) {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(signing, &random).expect("randomness");
        let pair =
            EcdsaKeyPair::from_pkcs8(signing, pkcs8.as_ref(), &random).expect("its own output");
        let key = PublicKey::raw(algorithm, pair.public_key().as_ref()).expect("a point");
        let signature = pair.sign(&random, b"message").expect("randomness");
        let signature = signature.as_ref();
        assert!(key.has_signed(b"message", signature));
        assert!(!key.has_signed(b"massage", signature));
        for at in 0..signature.len() {
            let mut twin = signature.to_vec();
            twin[at] ^= 1;
            assert!(!key.has_signed(b"message", &twin), "byte {at}");
        }
        for length in 0..signature.len() {
            assert!(!key.has_signed(b"message", &signature[..length]));
        }
        assert!(!key.has_signed(b"message", &[signature, &[0]].concat()));
    }

    #[test]
    fn ecdsa_in_der_is_checked_as_strictly() {
        check(
            PublicAlgorithm::EcdsaP256Sha256,
            &ECDSA_P256_SHA256_ASN1_SIGNING,
        );
        check(
            PublicAlgorithm::EcdsaP384Sha384,
            &ECDSA_P384_SHA384_ASN1_SIGNING,
        );
    }
}
