//! Every movement of money as a row.

mod row;

use crate::{
    audit::BlocksArgs,
    context::Context,
    output::{Output, OutputFile, count_bar},
    trust::TrustArgs,
    units::counted,
};
use clap::{Args, ValueEnum};
use quern_ledger::{BlockStream, ChainError};
use quern_primitives::BlockNumber;
use row::{Row, rows};
use serde::Serialize;
use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
};

#[derive(Args, Debug)]
pub(crate) struct LedgerArgs {
    #[command(flatten)]
    blocks: BlocksArgs,
    #[command(flatten)]
    trust: TrustArgs,
    /// How the rows are written
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// Where they go; the file is there only when it is whole [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Comma separated, with the names of the columns first (RFC 4180)
    Csv,
    /// A JSON document a line
    Jsonl,
}

/// Why an export did not get to its end.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    /// The chain could not be asked.
    #[error("the export ended before block {block}; go on from it with --from {block}")]
    Interrupted {
        block: BlockNumber,
        source: ChainError,
    },
    /// The rows cannot be written.
    #[error("cannot write the rows of block {block}")]
    Write {
        block: BlockNumber,
        source: io::Error,
    },
}

#[derive(Debug, Serialize)]
struct Exported {
    output: PathBuf,
    from: BlockNumber,
    to: BlockNumber,
    rows: u64,
}

pub(crate) async fn run(context: &Context, args: &LedgerArgs) -> anyhow::Result<()> {
    let chain = context.chain().await?;
    let proven = args.trust.proven(&chain).await?;
    let newest = match &proven {
        Some(proven) => proven.newest().await?.number,
        None => chain.at_finalised().await?.block().number,
    };
    let blocks = args.blocks.of(newest)?;
    let (from, to) = (*blocks.start(), *blocks.end());
    let bar = count_bar("blocks");
    let of_bar = bar.clone();
    let stream = chain.blocks(blocks).telling(move |now| {
        of_bar.set_length(now.all);
        of_bar.set_position(now.done);
    });
    let stream = match proven {
        Some(proven) => stream.proven_by(proven),
        None => stream,
    };
    let Some(output) = &args.output else {
        let mut out = BufWriter::new(io::stdout());
        let written = write(stream, from, args.format, &mut out).await;
        bar.finish_and_clear();
        return match written {
            // That nobody reads any more is no error.
            Err(ExportError::Write { source, .. })
                if source.kind() == io::ErrorKind::BrokenPipe =>
            {
                Ok(())
            }
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        };
    };
    let (file, mut writer) = OutputFile::create(output)?;
    let written = write(stream, from, args.format, &mut writer).await;
    bar.finish_and_clear();
    let rows = written?;
    let output = file.keep(writer)?;
    context.show(&Exported {
        output,
        from,
        to,
        rows,
    })
}

/// Writes the rows of all blocks. Returns how many there are.
async fn write(
    mut blocks: BlockStream,
    from: BlockNumber,
    format: Format,
    out: &mut impl Write,
) -> Result<u64, ExportError> {
    let (mut next, mut written): (BlockNumber, u64) = (from, 0);
    if format == Format::Csv {
        let head = write!(out, "{}\r\n", row::COLUMNS.join(","));
        head.map_err(|source| ExportError::Write {
            block: next,
            source,
        })?;
    }
    loop {
        let block = next;
        let read = match blocks.next().await {
            Ok(read) => read,
            Err(source) => {
                // What is known so far is whole up to the block before.
                let _ = out.flush();
                return Err(ExportError::Interrupted { block, source });
            }
        };
        let failed = |source| ExportError::Write { block, source };
        let Some(read) = read else {
            out.flush().map_err(failed)?;
            return Ok(written);
        };
        for row in rows(&read) {
            write_row(&row, format, out).map_err(failed)?;
            written = written.saturating_add(1);
        }
        next = read.block.number.saturating_add(1);
    }
}

fn write_row(row: &Row, format: Format, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Csv => write!(out, "{}\r\n", row.csv()),
        Format::Jsonl => {
            serde_json::to_writer(&mut *out, row)?;
            out.write_all(b"\n")
        }
    }
}

impl Output for Exported {
    fn people(&self) -> String {
        format!(
            "{} of blocks {} to {}: {}",
            counted(self.rows, "movement"),
            self.from,
            self.to,
            self.output.display()
        )
    }
}
