//! What hyper refuses by itself, before there is a request to answer (broken heads, too many headers, an endless address):
//! it sends a status and no body. Here the body is put in.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use poem::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    codes,
    problem::{self, Problem},
};

/// A connection that gives hyper's own refusals a problem body. They are known by what every answer of the gate has and
/// they lack: an `x-request-id`. (No body of the gate's begins like a status line.)
pub(super) struct Answering<Io> {
    inner: Io,
    /// The refusal under way: the bytes, how many of them are written, and how many hyper believes that it writes.
    instead: Option<(Vec<u8>, usize, usize)>,
}

impl<Io> Answering<Io> {
    pub(super) const fn new(inner: Io) -> Self {
        Self { inner, instead: None }
    }
}

/// The whole refusal, if these bytes are a bare one.
fn whole(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.starts_with(b"HTTP/1.1 4") || !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let head = std::str::from_utf8(bytes).ok()?;
    if head.contains("x-request-id") || !head.contains("content-length: 0\r\n") {
        return None;
    }
    let problem = match head.get(9..12)? {
        "400" => Problem::unreadable("the head of the request is not HTTP"),
        "414" => Problem::plain(codes::REQUEST_URI_TOO_LONG),
        "431" => Problem::plain(codes::REQUEST_HEADERS_TOO_LARGE),
        _ => return None,
    };
    Some(refusal(&problem))
}

fn refusal(problem: &Problem) -> Vec<u8> {
    let status: StatusCode = problem.http_status();
    let body = problem.body(None, None).to_string();
    format!(
        "HTTP/1.1 {} {}\r\ncontent-type: {}\r\ncontent-length: {}\r\nx-content-type-options: nosniff\r\n\
         cache-control: no-store\r\nconnection: close\r\n\r\n{body}",
        status.as_u16(),
        status.canonical_reason().unwrap_or("Error"),
        problem::MEDIA_TYPE,
        body.len(),
    )
    .into_bytes()
}

impl<Io: AsyncWrite + Unpin> Answering<Io> {
    /// Writes the refusal under way to its end; says how many bytes hyper believes to be written.
    fn poll_instead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<usize>>> {
        while let Some((bytes, written, believed)) = &mut self.instead {
            let rest = bytes.get(*written..).unwrap_or_default();
            if rest.is_empty() {
                let believed = *believed;
                self.instead = None;
                return Poll::Ready(Ok(Some(believed)));
            }
            match Pin::new(&mut self.inner).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => *written += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(None))
    }

    fn poll_begin(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<Option<usize>>> {
        if self.instead.is_none() {
            self.instead = whole(bytes).map(|whole| (whole, 0, bytes.len()));
        }
        self.poll_instead(context)
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Answering<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Answering<Io> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.poll_begin(context, bytes) {
            Poll::Ready(Ok(None)) => Pin::new(&mut self.inner).poll_write(context, bytes),
            Poll::Ready(Ok(Some(believed))) => Poll::Ready(Ok(believed)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.first().map_or(&[][..], |slice| slice);
        match self.poll_begin(context, first) {
            Poll::Ready(Ok(None)) => Pin::new(&mut self.inner).poll_write_vectored(context, slices),
            Poll::Ready(Ok(Some(believed))) => Poll::Ready(Ok(believed)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_refusals_are_completed() {
        let bare = b"HTTP/1.1 414 URI Too Long\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let whole_text = String::from_utf8(whole(bare).unwrap()).unwrap();
        assert!(whole_text.contains("\"code\":\"request.uri_too_long\""), "{whole_text}");
        let ours = b"HTTP/1.1 404 Not Found\r\nx-request-id: a\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(whole(ours), None);
        assert_eq!(whole(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), None);
        assert_eq!(whole(b"{}"), None);
    }
}
