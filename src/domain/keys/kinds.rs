//! The kinds of master key, one row each: what they are called in files, on the
//! command line and in configs (sops-compat 4.3, 7, 9.3, 10.2).

/// A kind of master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// AWS KMS.
    Kms,
    /// Google Cloud KMS.
    GcpKms,
    /// Huawei Cloud KMS.
    Hckms,
    /// Azure Key Vault.
    AzureKv,
    /// HashiCorp Vault transit.
    HcVault,
    /// OpenPGP.
    Pgp,
    /// age.
    Age,
}

impl KeyKind {
    /// All kinds, in the order in which SOPS loads them from a file.
    pub const ALL: [Self; 7] =
        [Self::Kms, Self::GcpKms, Self::Hckms, Self::AzureKv, Self::HcVault, Self::Pgp, Self::Age];

    /// The list in the metadata that holds keys of this kind; also its name in
    /// `--decryption-order`.
    pub fn metadata_field(self) -> &'static str {
        match self {
            Self::Kms => "kms",
            Self::GcpKms => "gcp_kms",
            Self::Hckms => "hckms",
            Self::AzureKv => "azure_kv",
            Self::HcVault => "hc_vault",
            Self::Pgp => "pgp",
            Self::Age => "age",
        }
    }

    /// The field of a metadata entry that names the key.
    pub fn id_field(self) -> &'static str {
        match self {
            Self::Kms => "arn",
            Self::GcpKms => "resource_id",
            Self::Hckms => "key_id",
            Self::AzureKv => "name",
            Self::HcVault => "key_name",
            Self::Pgp => "fp",
            Self::Age => "recipient",
        }
    }
}
