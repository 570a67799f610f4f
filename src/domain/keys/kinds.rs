//! TEMP
/// x
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum KeyKind {
    Age,
    Pgp,
    Kms,
    GcpKms,
    AzureKv,
    HcVault,
    Hckms,
}
impl KeyKind {
    /// x
    pub const ALL: [KeyKind; 7] = [
        KeyKind::Kms,
        KeyKind::GcpKms,
        KeyKind::Hckms,
        KeyKind::AzureKv,
        KeyKind::HcVault,
        KeyKind::Pgp,
        KeyKind::Age,
    ];
    /// x
    pub fn metadata_field(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Pgp => "pgp",
            Self::Kms => "kms",
            Self::GcpKms => "gcp_kms",
            Self::AzureKv => "azure_kv",
            Self::HcVault => "hc_vault",
            Self::Hckms => "hckms",
        }
    }
    /// x
    pub fn id_field(self) -> &'static str {
        match self {
            Self::Age => "recipient",
            Self::Pgp => "fp",
            Self::Kms => "arn",
            Self::GcpKms => "resource_id",
            _ => "key_id",
        }
    }
}
