//! Clients that no HTTP library would be: slow, half-open, or without manners.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::DEADLINE;

/// A connection that is written to by hand.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) async fn connect(url: &str) -> Self {
        let address = url.strip_prefix("http://").expect("plain HTTP");
        Self(TcpStream::connect(address).await.expect("it listens"))
    }

    /// Writes; says whether the other side still listened.
    pub(crate) async fn write(&mut self, text: &str) -> bool {
        self.0.write_all(text.as_bytes()).await.is_ok()
    }

    /// Everything that arrives until the other side closes the connection.
    pub(crate) async fn read_to_the_end(&mut self) -> String {
        let mut all = Vec::new();
        let mut part = [0_u8; 4096];
        let reading = async {
            while let Ok(count @ 1..) = self.0.read(&mut part).await {
                all.extend_from_slice(&part[..count]);
            }
        };
        tokio::time::timeout(DEADLINE, reading)
            .await
            .expect("the other side cuts the connection");
        String::from_utf8_lossy(&all).into_owned()
    }
}
