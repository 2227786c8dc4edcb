//! `pcim requestor emergency`, `give-up`

use clap::Args;
use pcim_core::{Address, B256, ImageDigest};

use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::context::Context;
use crate::parse;

/// Open an image to a requestor in an emergency, as the desk that its patient named
///
/// The requestor must have asked (`pcim requestor request --purpose ETREAT`). The patient and everyone else sees it on the
/// chain; she can remove it like any access. It opens nothing by itself: custodians release shares of the key.
#[derive(Debug, Args)]
pub(crate) struct BreakGlassArgs {
    /// The image
    image: ImageDigest,
    /// The requestor's address
    #[arg(value_name = "ADDRESS", value_parser = parse::address)]
    requestor: Address,
    /// For how long, at most the hours that the patient allowed
    #[arg(long, value_name = "TIME", value_parser = parse::seconds, default_value = "12h")]
    lasts: u32,
    /// A code that stands on the chain, at most 32 letters, digits and hyphens: nothing personal
    #[arg(long, value_name = "CODE", value_parser = code, default_value = "BTG")]
    reason: B256,
    #[command(flatten)]
    sign: SignArgs,
}

/// End a request, an approval or an emergency access of your own
///
/// For a key that was stolen or is no longer needed. An image that was fetched before stays here.
#[derive(Debug, Args)]
pub(crate) struct GiveUpArgs {
    /// The image
    image: ImageDigest,
    #[command(flatten)]
    sign: SignArgs,
}

/// A code as a word of 32 bytes.
fn code(text: &str) -> Result<B256, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if text.is_empty() || text.len() > 32 || !text.bytes().all(fits) {
        return Err("a code has 1 to 32 letters, digits and hyphens".to_owned());
    }
    let mut word = [0; 32];
    word[..text.len()].copy_from_slice(text.as_bytes());
    Ok(B256::from(word))
}

impl BreakGlassArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = self.sign.set(context.client().await?).await?;
        let desk = client.requestor();
        let lasts = u64::from(self.lasts);
        let opened = desk.break_glass(&self.image, self.requestor, lasts, self.reason);
        let opened = opened.await;
        client.shutdown().await;
        let Some(written) = self.sign.settle(context, opened)? else {
            return Ok(());
        };
        let text = format!("opened to    {}\n{}", self.requestor, transaction(&written));
        context.ui.result(&written, &text)
    }
}

impl GiveUpArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = self.sign.set(context.client().await?).await?;
        let ended = client.requestor().give_up(&self.image).await;
        client.shutdown().await;
        let Some(written) = self.sign.settle(context, ended)? else {
            return Ok(());
        };
        let text = format!("given up     {}\n{}", self.image, transaction(&written));
        context.ui.result(&written, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_word_and_nothing_else() {
        let word = code("BTG").expect("a code");
        assert_eq!(&word[..4], b"BTG\0");
        for bad in ["", "two words", "ü", &"A".repeat(33)] {
            assert!(code(bad).is_err(), "{bad}");
        }
    }
}
