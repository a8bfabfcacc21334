const axios = require('axios');

async function deleteBatch(token, classificationId, batchId) {
    const url = "https://api.extracta.ai/api/v1/documentClassification/deleteBatch";

    try {
        const response = await axios.delete(url, {
            headers: {
                'Content-Type': 'application/json',
                'Authorization': `Bearer ${token}`
            },
            data: {
                classificationId: classificationId,
                batchId: batchId
            }
        });

        return response.data;
    } catch (error) {
        throw error.response ? error.response.data : new Error('An unknown error occurred');
    }
}

async function main() {
    const token = 'apiKey';
    const classificationId = 'classificationId';
    const batchId = 'batchId';

    try {
        const response = await deleteBatch(token, classificationId, batchId);
        console.log("Batch Deleted:", response);
    } catch (error) {
        console.error("Failed to delete batch:", error);
    }
}

main();
