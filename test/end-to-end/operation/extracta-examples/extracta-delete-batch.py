import requests

def delete_batch(token, classification_id, batch_id):
    url = "https://api.extracta.ai/api/v1/documentClassification/deleteBatch"
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {token}"
    }
    payload = {
        "classificationId": classification_id,
        "batchId": batch_id
    }

    try:
        response = requests.delete(url, json=payload, headers=headers)
        response.raise_for_status()
        return response.json()
    except requests.RequestException as e:
        print(f"Failed to delete classification: {e}")
        return None

# Example usage
if __name__ == "__main__":
    token = "apiKey"
    classification_id = "classificationId"
    batch_id = "batchId"

    response = delete_batch(token, classification_id, batch_id)
    if response:
        print("Batch Deleted:", response)
    else:
        print("Failed to delete batch.")
