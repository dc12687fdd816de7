"""The job files for many machines are what their schedulers read, and the command in each is one that logmill takes."""
import json
import os
import re
import subprocess
import unittest

from e2e import LOGMILL, ROOT, Case, flow_text

BATCH = ROOT / "examples/batch"


class Batch(Case):
    def sandbox(self, command: str) -> str:
        """The command with its folders below this test's, for schedulers whose paths are absolute."""
        return re.sub(r"(?<=[ :\"])/(archive|lake-rejects|lake|state)\b", rf"{self.dir}/\1", command)

    def run_parts(self, command: str, variable: str, parts: int) -> None:
        for i in range(40):
            self.write(f"archive/{i:02}.log", flow_text(3, seed=i))
        self.write("archive/notes.txt", "no log\n")
        (self.dir / "state").mkdir()
        (self.dir / "bin").mkdir()
        os.symlink(LOGMILL, self.dir / "bin/logmill")
        environment = self.environment(PATH=f"{self.dir}/bin:{os.environ['PATH']}")
        objects = 0
        for part in range(parts):
            done = subprocess.run(["sh", "-c", self.sandbox(command)], env={**environment, variable: str(part)}, cwd=self.dir, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            objects += json.loads((self.dir / f"state/shard-{part}.json").read_text())["objects"]
        self.assertEqual(objects, 41)
        self.assertEqual(len(list((self.dir / "lake").glob("_manifest.*-of-*.json"))), parts)

    def test_aws_batch(self):
        job = json.loads((BATCH / "aws-batch-array.json").read_text())
        command = job["containerOverrides"]["command"]
        self.assertEqual(command[:2], ["sh", "-c"])
        self.run_parts(command[2], "AWS_BATCH_JOB_ARRAY_INDEX", job["arrayProperties"]["size"])

    def test_kubernetes(self):
        text = (BATCH / "kubernetes-indexed-job.yaml").read_text()
        try:
            import yaml
            job = yaml.safe_load(text)
            self.assertEqual((job["kind"], job["spec"]["completionMode"]), ("Job", "Indexed"))
            command = job["spec"]["template"]["spec"]["containers"][0]["args"][0]
        except ImportError:
            # Without a YAML reader: logmill's own, which says where a file is not YAML, and the folded text by its indentation.
            done = self.logmill("run", "x", "--to", "ndjson:out", "--config", BATCH / "kubernetes-indexed-job.yaml", code=2)
            self.assertIn("unknown key 'apiVersion'", done.stderr)
            command = " ".join(line.strip() for line in re.search(r">-\n((?: {14}.*\n)+)", text)[1].splitlines())
        completions = int(re.search(r"completions: (\d+)", text)[1])
        self.run_parts(command, "JOB_COMPLETION_INDEX", completions)

    def test_slurm(self):
        script = BATCH / "slurm-array.sh"
        subprocess.run(["bash", "-n", script], check=True)
        self.assertIn("#SBATCH --array=0-15", script.read_text())
        self.run_parts(f"bash {script} archive lake && cp lake-state/*.json state/",
                       "SLURM_ARRAY_TASK_ID", 16)


if __name__ == "__main__":
    unittest.main()
