// Uploads a batch with a client that oapi-codegen has generated into the package drover.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"smoke/drover"
)

func main() {
	ctx := context.Background()
	client, err := drover.NewClientWithResponses(os.Args[1])
	if err != nil {
		panic(err)
	}
	people := []map[string]interface{}{
		{"externalId": "cid", "name": "Cid"},
		{"externalId": "dan", "name": "Dan"},
	}
	accepted, err := client.UploadResourcesWithResponse(ctx, "person", nil, drover.BatchResources{Resources: people})
	if err != nil || accepted.JSON202 == nil {
		panic(fmt.Sprint(err, string(accepted.Body)))
	}
	for {
		answer, err := client.GetBatchWithResponse(ctx, accepted.JSON202.Data.BatchId, nil)
		if err != nil || answer.JSON200 == nil {
			panic(fmt.Sprint(err, string(answer.Body)))
		}
		batch := answer.JSON200.Data
		switch batch.Status {
		case "success", "partial_success", "failed", "cancelled":
			fmt.Println(batch.Status, batch.Progress.SuccessfulRecords, "of", batch.Progress.TotalRecords)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
