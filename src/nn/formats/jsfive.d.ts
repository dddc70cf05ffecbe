/** The part of jsfive that the HDF5 reader uses; the package itself ships no types. */
declare module "jsfive" {
  /** An object header: its messages, and what they say of a dataset. */
  export interface DataObjects {
    readonly fh: ArrayBuffer;
    readonly dtype: string | unknown[];
    readonly chunks: number[] | null;
    readonly filter_pipeline: Map<string, unknown>[] | null;
    readonly is_dataset: boolean;
    find_msg_type(type: number): Map<string, number>[];
    _get_data_message_properties(
      offset: number,
    ): [version: number, dimensions: number, layout: number, propertyOffset: number];
    get_data(): number[];
  }

  export class Group {
    readonly name: string;
    readonly attrs: Record<string, unknown>;
    /** Link name to the address of an object header, or to the path of a soft link. */
    readonly _links: Record<string, number | string>;
    readonly _dataobjects: DataObjects;
    get(name: string): Group | Dataset;
  }

  export class Dataset extends Array<never> {
    readonly _dataobjects: DataObjects;
  }

  export class File extends Group {
    constructor(bytes: ArrayBuffer, name: string);
  }

  /** Filter number (1 is deflate) to the function that undoes it. */
  export const Filters: Map<number, (chunk: ArrayBuffer, itemBytes: number, clientData: number[]) => ArrayBuffer>;
}
