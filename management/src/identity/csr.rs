//! Requests for certificates (PKCS#10). Only the public key and the proof that its owner signed the request count; what
//! the request asks for (names, extensions, being a CA) is never read.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use hadron_proto::vocab::Digest;
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::oid_registry::OID_SIG_ECDSA_WITH_SHA256;
use x509_parser::prelude::FromDer;

/// A request for a P-256 key with empty names has about 230 bytes; agents may put in what they like, but not at length.
const MAX_BYTES: usize = 4096;

/// The DER of a `SubjectPublicKeyInfo` of P-256 up to the uncompressed point. Comparing bytes refuses at once every
/// other curve, explicit curve parameters (CVE-2020-0601), compressed points and other encodings of the same key.
const P256_PREFIX: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/// The request is not acceptable.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum InvalidCsr {
    /// Longer than any honest request.
    #[error("csr_der: longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Not the DER of a PKCS#10 request, or something follows it.
    #[error("csr_der: not a PKCS#10 request in DER")]
    Malformed,
    /// Another kind of key.
    #[error("csr_der: the key must be ECDSA on P-256")]
    Key,
    /// Signed with another algorithm than ECDSA with SHA-256.
    #[error("csr_der: the request must be signed with ECDSA and SHA-256")]
    Algorithm,
    /// The signature is not by the key of the request.
    #[error("csr_der: the request is not signed by its own key")]
    Signature,
}

/// A P-256 public key whose owner is known to hold the private one.
#[derive(Clone, PartialEq, Eq)]
pub struct AgentKey {
    spki: Vec<u8>,
    sha256: [u8; 32],
}

impl AgentKey {
    /// Reads a request and checks that it is signed by its own key.
    ///
    /// # Errors
    /// When the bytes are not such a request, or not for a P-256 key.
    pub fn from_csr(der: &[u8]) -> Result<Self, InvalidCsr> {
        if der.len() > MAX_BYTES {
            return Err(InvalidCsr::TooLong);
        }
        let Ok(([], request)) = X509CertificationRequest::from_der(der) else {
            return Err(InvalidCsr::Malformed);
        };
        let spki = request.certification_request_info.subject_pki.raw;
        let point = spki
            .strip_prefix(&P256_PREFIX[..26])
            .filter(|point| point.len() == 65);
        let point = point
            .filter(|point| point[0] == P256_PREFIX[26])
            .ok_or(InvalidCsr::Key)?;
        let algorithm = &request.signature_algorithm;
        if algorithm.algorithm != OID_SIG_ECDSA_WITH_SHA256 || algorithm.parameters.is_some() {
            return Err(InvalidCsr::Algorithm);
        }
        // Verifying also refuses a point that is not on the curve.
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            .verify(
                request.certification_request_info.raw,
                &request.signature_value.data,
            )
            .map_err(|_| InvalidCsr::Signature)?;
        Ok(Self {
            spki: spki.to_vec(),
            sha256: *Digest::of(spki).as_bytes(),
        })
    }

    /// The DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of the DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }
}

impl PublicKeyData for AgentKey {
    fn der_bytes(&self) -> &[u8] {
        &self.spki[P256_PREFIX.len() - 1..]
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl std::fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AgentKey({})", Digest::from_bytes(self.sha256))
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, SanType};

    use super::*;

    fn csr(params: &CertificateParams, key: &KeyPair) -> Vec<u8> {
        params.serialize_request(key).unwrap().der().to_vec()
    }

    #[test]
    fn only_the_key_counts() {
        let key = KeyPair::generate().unwrap();
        let plain = AgentKey::from_csr(&csr(&CertificateParams::default(), &key)).unwrap();
        // AT-24: being a CA and the name of another account are asked for, and not even looked at.
        let mut greedy = CertificateParams::default();
        greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let foreign = "spiffe://hub-1/account/222222222222/connection/x/agent/y";
        greedy.subject_alt_names = vec![SanType::URI(foreign.try_into().unwrap())];
        assert_eq!(AgentKey::from_csr(&csr(&greedy, &key)).unwrap(), plain);
        assert_eq!(
            plain.spki_der(),
            rcgen::PublicKeyData::subject_public_key_info(&key)
        );
        assert_eq!(plain.der_bytes(), key.der_bytes());
    }

    #[test]
    fn other_keys_are_refused() {
        for algorithm in [&rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let der = csr(&CertificateParams::default(), &key);
            assert_eq!(AgentKey::from_csr(&der).unwrap_err(), InvalidCsr::Key);
        }
        let rsa = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        assert_eq!(
            AgentKey::from_csr(&csr(&CertificateParams::default(), &rsa)).unwrap_err(),
            InvalidCsr::Key
        );
        // A 512-bit RSA request made with OpenSSL, as no library here makes one.
        assert_eq!(
            AgentKey::from_csr(include_bytes!("testdata/rsa512.csr.der")).unwrap_err(),
            InvalidCsr::Key
        );
    }

    #[test]
    fn a_foreign_or_damaged_signature_is_refused() {
        let key = KeyPair::generate().unwrap();
        let good = csr(&CertificateParams::default(), &key);
        let other = csr(&CertificateParams::default(), &KeyPair::generate().unwrap());
        // The key of `other` inside the request that `key` signed.
        let spki_at = |der: &[u8]| der.windows(27).position(|window| window == P256_PREFIX).unwrap();
        let mut swapped = good.clone();
        let (to, from) = (spki_at(&good), spki_at(&other));
        swapped[to..to + 91].copy_from_slice(&other[from..from + 91]);
        assert_eq!(AgentKey::from_csr(&swapped).unwrap_err(), InvalidCsr::Signature);
        let mut off_curve = good.clone();
        off_curve[to + 60] ^= 1;
        assert_eq!(AgentKey::from_csr(&off_curve).unwrap_err(), InvalidCsr::Signature);
        for (fault, der) in [
            (InvalidCsr::Malformed, [good.as_slice(), &[0]].concat()),
            (InvalidCsr::Malformed, good[..good.len() - 1].to_vec()),
            (InvalidCsr::Malformed, Vec::new()),
            (
                InvalidCsr::Malformed,
                b"-----BEGIN CERTIFICATE REQUEST-----".to_vec(),
            ),
            (InvalidCsr::TooLong, vec![0x30; MAX_BYTES + 1]),
        ] {
            assert_eq!(AgentKey::from_csr(&der).unwrap_err(), fault);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_changed_byte_is_accepted_with_another_key(at in 0usize..220, with in 1u8..) {
            let key = KeyPair::generate().unwrap();
            let good = csr(&CertificateParams::default(), &key);
            let expected = AgentKey::from_csr(&good).unwrap();
            let mut other = good;
            let at = at % other.len();
            other[at] ^= with;
            if let Ok(found) = AgentKey::from_csr(&other) {
                proptest::prop_assert_eq!(found, expected);
            }
        }
    }
}
