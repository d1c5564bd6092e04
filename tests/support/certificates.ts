/**
 * Certificates for tests, made by `openssl`: an authority, and what it signs for this machine.
 *
 * @module
 */

/** Where a certificate and its key are. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** An authority in a directory of its caller. */
export class Authority {
  #serial = 1;

  private constructor(private readonly directory: string, readonly name: string) {}

  /** Makes one. */
  static async make(directory: string, name = "authority"): Promise<Authority> {
    const authority = new Authority(directory, name);
    await openssl([
      ...["req", "-x509", ...KEY, "-days", "2", "-subj", `/CN=chukcha test ${name}`],
      ...["-addext", "basicConstraints=critical,CA:TRUE", "-keyout", authority.key, "-out", authority.cert],
    ]);
    return authority;
  }

  get cert(): string {
    return `${this.directory}/${this.name}.pem`;
  }

  private get key(): string {
    return `${this.directory}/${this.name}.key`;
  }

  /** Signs a certificate for `names`, as in `IP:127.0.0.1,DNS:localhost`, which lasts for some days. */
  async sign(name: string, days = 60, names = "IP:127.0.0.1,DNS:localhost"): Promise<CertificateFiles> {
    const path = `${this.directory}/${name}`;
    const files = { cert: `${path}.pem`, key: `${path}.key` };
    await openssl(["req", ...KEY, "-subj", `/CN=${name}`, "-keyout", files.key, "-out", `${path}.csr`]);
    await Deno.writeTextFile(`${path}.ext`, `subjectAltName=${names}\nbasicConstraints=CA:FALSE\n`);
    await openssl([
      ...["x509", "-req", "-in", `${path}.csr`, "-CA", this.cert, "-CAkey", this.key],
      // Not from a file of serial numbers: several may be signed at once.
      ...[
        "-set_serial",
        String(this.#serial++),
        "-days",
        String(days),
        "-extfile",
        `${path}.ext`,
        "-out",
        files.cert,
      ],
    ]);
    return files;
  }
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

async function openssl(args: readonly string[]): Promise<void> {
  const command = new Deno.Command("openssl", { args: [...args], stdin: "null" });
  const { success, stderr } = await command.output();
  if (!success) throw new Error(`openssl ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
