//! Running a command as another user, through `setpriv`.

use std::fs;
use std::path::PathBuf;

use crate::programs;

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Home folder.
    pub home: PathBuf,
}

/// Why a command cannot run as a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserError {
    /// Nobody has that name.
    #[error("there is no user {name:?} on this machine (/etc/passwd)")]
    Unknown {
        /// The name.
        name: String,
    },
    /// Only root may become somebody else.
    #[error(
        "only root can run the target as user {name:?}; start this with sudo, or leave target.user out to run it as yourself"
    )]
    NotRoot {
        /// The name.
        name: String,
    },
    /// The program that changes the user is missing.
    #[error(
        "setpriv is missing, which runs the target as user {name:?}: sudo apt-get install util-linux"
    )]
    NoSetpriv {
        /// The name.
        name: String,
    },
}

impl Account {
    /// Finds a user by name, and checks that this process can run commands as that user.
    pub fn find(name: &str) -> Result<Self, UserError> {
        let name = || name.to_owned();
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let account =
            account_in(&passwd, &name()).ok_or_else(|| UserError::Unknown { name: name() })?;
        let me = rustix::process::geteuid();
        if me.as_raw() == account.uid {
            return Ok(account);
        }
        if !me.is_root() {
            return Err(UserError::NotRoot { name: name() });
        }
        if programs::find("setpriv").is_none() {
            return Err(UserError::NoSetpriv { name: name() });
        }
        Ok(account)
    }

    /// The command that becomes this user and then `command`; the command itself for oneself.
    pub fn running(&self, command: Vec<String>) -> Vec<String> {
        if rustix::process::geteuid().as_raw() == self.uid {
            return command;
        }
        let (uid, gid) = (
            format!("--reuid={}", self.uid),
            format!("--regid={}", self.gid),
        );
        [
            "setpriv".to_owned(),
            uid,
            gid,
            "--init-groups".to_owned(),
            "--".to_owned(),
        ]
        .into_iter()
        .chain(command)
        .collect()
    }

    /// The environment that names the user.
    pub fn environment(&self) -> [(String, String); 3] {
        [
            ("HOME".to_owned(), self.home.to_string_lossy().into_owned()),
            ("LOGNAME".to_owned(), self.name.clone()),
            ("USER".to_owned(), self.name.clone()),
        ]
    }
}

fn account_in(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (*fields.first()? == name).then_some(())?;
        Some(Account {
            name: name.to_owned(),
            uid: fields.get(2)?.parse().ok()?,
            gid: fields.get(3)?.parse().ok()?,
            home: PathBuf::from(fields.get(5)?),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_from_the_password_file() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npg:x:70:71:,,,:/var/lib/pg:/bin/sh\n";
        let account = account_in(passwd, "pg").unwrap();
        assert_eq!((account.uid, account.gid), (70, 71));
        assert_eq!(account.home, PathBuf::from("/var/lib/pg"));
        assert_eq!(account_in(passwd, "p"), None);
    }

    #[test]
    fn a_user_that_does_not_exist_is_named() {
        let error = Account::find("no-such-user").unwrap_err().to_string();
        assert!(
            error.starts_with("there is no user \"no-such-user\""),
            "{error}"
        );
    }
}
