import { FileError } from "../../engine/errors.ts";

const MAX_MESSAGES = 4096;
const MAX_ENTRIES = 4096;
const MAX_STRUCTURE_BYTES = 256 * 1024;
const SIGNATURES = new Set("TREE HEAP SNOD GCOL FRHP FHDB FHIB BTHD BTIN BTLF OHDR".split(" "));
const CONTINUATION = 0x10;

/** An HDF5 file that cannot be used: expected, actual, remedy in one line. */
export const brokenHdf5 = (expected: string, actual: string, cause?: unknown): FileError =>
  new FileError(`HDF5: expected ${expected}; found ${actual}; get the file again or save it again from Keras`, {
    cause,
  });

/**
 * The file's bytes as jsfive reads them, with a meter. jsfive trusts the file: cyclic trees, shared nodes and
 * absurd counts would make it run or allocate without bound. It copies every structure with `slice` before it
 * decodes it, which is where this class looks at what comes and counts. The budget counts work, not time,
 * so that the same file gives the same answer on every machine.
 */
export class MeteredBuffer extends ArrayBuffer {
  // What is cut out of the file is decoded by plain code and must not be metered again.
  static override get [Symbol.species](): ArrayBufferConstructor {
    return ArrayBuffer;
  }

  private readonly view: DataView;
  private work = 0;
  private copied = 0;
  private heapBlocks = 0;
  private chunks: { readonly bytes: number; left: number } | null = null;
  /** True while attributes are read, whose names may have four letters like a signature. */
  readingAttributes = false;

  constructor(bytes: Uint8Array) {
    super(bytes.length);
    new Uint8Array(this).set(bytes);
    this.view = new DataView(this);
  }

  /** Counts steps of work, and refuses the file when they exceed what a file of this size can need. */
  charge(steps: number): void {
    this.work += steps;
    const allowed = 50_000 + this.byteLength / 256;
    if (this.work > allowed) throw brokenHdf5(`at most ${Math.floor(allowed)} structures`, "more (a cyclic file?)");
  }

  override slice(begin = 0, end = this.byteLength): ArrayBuffer {
    const length = end - begin;
    const allowedLength = Math.max(MAX_STRUCTURE_BYTES, this.chunks?.bytes ?? 0);
    if (length > allowedLength) throw brokenHdf5(`structures of at most ${allowedLength} bytes`, `one of ${length}`);
    const signature = length === 4 && !this.readingAttributes ? this.signatureAt(begin) : null;
    // A chunk of four bytes, a single float32, looks like a signature; while chunks are read only TREE is one.
    if (this.chunks && signature !== "TREE") this.countChunk();
    else if (signature !== null) this.inspect(signature, begin);
    const part = super.slice(begin, end);
    this.charge(1);
    this.copied += part.byteLength;
    if (this.copied > 16 * 2 ** 20 + 4 * this.byteLength)
      throw brokenHdf5("structures stored once", "the same bytes used over and over");
    return part;
  }

  /** Runs `read`, which may copy `count` chunks of at most `bytes` each. */
  withChunks<T>(count: number, bytes: number, read: () => T): T {
    this.chunks = { bytes, left: count };
    try {
      return read();
    } finally {
      this.chunks = null;
    }
  }

  private countChunk(): void {
    this.chunks!.left--;
    if (this.chunks!.left < 0) throw brokenHdf5("the chunks that fill the dataset", "more");
  }

  private count(value: number, what: string): void {
    if (value > MAX_ENTRIES) throw brokenHdf5(`at most ${MAX_ENTRIES} ${what}`, `${value}`);
    this.charge(value);
  }

  private signatureAt(address: number): string {
    if (!(address + 4 <= this.byteLength)) throw brokenHdf5("an address inside the file", `${address}`);
    return String.fromCharCode(...new Uint8Array(this, address, 4));
  }

  /** Checks the counts of the structure whose signature is being read. */
  private inspect(signature: string, address: number): void {
    if (signature === "TREE") this.count(this.view.getUint16(address + 6, true), "entries in a node");
    if (signature === "SNOD") this.count(this.view.getUint16(address + 6, true), "symbols in a node");
    if (signature === "FRHP") {
      const width = this.view.getUint16(address + 110, true);
      const rows = this.view.getUint16(address + 140, true);
      this.heapBlocks = width * Math.max(rows, 1);
      this.count(this.heapBlocks, "blocks in a heap");
    }
    if (signature === "FHIB") this.charge(this.heapBlocks);
    // jsfive walks trees without asking for their signature, so anything else counts as a node might; for what
    // these bytes usually are, the name of a link of four letters, that is the upper half of an address: little.
    if (!SIGNATURES.has(signature) && address + 8 <= this.byteLength) {
      this.charge(this.view.getUint16(address + 6, true));
    }
  }

  /**
   * Checks an object header before jsfive decodes it into one map per message.
   * @see HDF5 File Format Specification 3.0, IV.A.1
   */
  checkHeader(address: number): void {
    if (!(address >= 0 && address + 16 <= this.byteLength)) {
      throw brokenHdf5("an object header inside the file", `address ${address} of ${this.byteLength}`);
    }
    if (this.view.getUint8(address) === 1) this.countMessages(this.view.getUint16(address + 2, true));
    else this.checkHeaderV2(address);
  }

  private countMessages(messages: number): void {
    if (messages > MAX_MESSAGES) throw brokenHdf5(`at most ${MAX_MESSAGES} messages in a header`, `${messages}`);
    this.charge(messages);
  }

  private checkHeaderV2(address: number): void {
    const flags = this.view.getUint8(address + 5);
    const sizeAt = address + 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0);
    const sizeBytes = 1 << (flags & 3);
    let firstSize = 0;
    for (let i = sizeBytes - 1; i >= 0; i--) firstSize = firstSize * 256 + this.view.getUint8(sizeAt + i);
    const messageHeader = 4 + (flags & 4 ? 2 : 0);
    const blocks: [start: number, size: number][] = [[sizeAt + sizeBytes, firstSize]];
    const visited = new Set([sizeAt + sizeBytes]);
    let messages = 0;
    for (const [start, size] of blocks) {
      if (!(size <= MAX_STRUCTURE_BYTES && start + size <= this.byteLength)) {
        throw brokenHdf5(`header blocks of at most ${MAX_STRUCTURE_BYTES} bytes inside the file`, `one of ${size}`);
      }
      for (let offset = 0; offset < size - 4; messages++) {
        const at = start + offset;
        if (this.view.getUint8(at) === CONTINUATION) {
          const next = Number(this.view.getBigUint64(at + messageHeader, true)) + 4;
          const nextSize = Number(this.view.getBigUint64(at + messageHeader + 8, true)) - 4;
          if (!visited.has(next)) blocks.push([next, nextSize]);
          visited.add(next);
        }
        offset += messageHeader + this.view.getUint16(at + 1, true);
      }
      if (messages > MAX_MESSAGES) break;
    }
    this.countMessages(messages);
  }
}
