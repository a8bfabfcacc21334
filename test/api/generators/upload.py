"""Uploads a batch with a client that openapi-python-client has generated into the folder `client`."""

import sys
import time

sys.path.insert(0, "client")

from drover_client import Client
from drover_client.api.batches import get_batch
from drover_client.api.resource_batches import upload_resources
from drover_client.models import BatchResources

client = Client(base_url=sys.argv[1])
people = [{"externalId": "ann", "name": "Ann"}, {"externalId": "bob", "name": "Bob"}]
accepted = upload_resources.sync("person", client=client, body=BatchResources.from_dict({"resources": people}))
while True:
    batch = get_batch.sync(accepted.data.batch_id, client=client).data
    if batch.status in ("success", "partial_success", "failed", "cancelled"):
        break
    time.sleep(0.1)
print(batch.status, batch.progress.successful_records, "of", batch.progress.total_records)
