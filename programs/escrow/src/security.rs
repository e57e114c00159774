//! The `security.txt` in the program: whoever finds a problem in the deployed bytes finds here whom to tell. Explorers and
//! `query-security-txt` show it. Whoever deploys puts addresses of their own here (see migrations/README.md).

use solana_security_txt::security_txt;

security_txt! {
    name: "Escrow",
    project_url: "README.md of the source",
    contacts: "other:'Report a vulnerability' in the security tab of the source repository",
    policy: "SECURITY.md of the source",
    preferred_languages: "en",
    auditors: "None"
}
