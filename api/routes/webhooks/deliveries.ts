import { z } from '@hono/zod-openapi';
import { totalText } from '../../../domain/batch/total.ts';
import { MAX_PAGE_LIMIT } from '../../../domain/limits.ts';
import { DELIVERY_STATUSES } from '../../../domain/webhooks/webhook.ts';
import { redeliverMessage, testWebhook } from '../../../services/webhooks/manage-webhooks.ts';
import { listDeliveries } from '../../../store/webhooks/deliveries.ts';
import { notFound } from '../../http/api-error.ts';
import type { ListPlace } from '../../http/cursors.ts';
import { type Api, defineRoute, faults, jsonResponse, pageQuery, queryEnum } from '../../http/define-route.ts';
import { success } from '../../http/envelope.ts';
import { paginationOf } from '../../http/pagination.ts';
import { Delivery, DeliveryList, toDeliveryView } from './webhook-schemas.ts';
import { webhookOf, webhookParams } from './webhooks.ts';

const tags = ['Webhooks'];

/** Messages to a webhook: the list of them, one of a caller's own, and one again (docs/webhooks.md). */
export function deliveryRoutes(api: Api): void {
  defineRoute(
    api,
    {
      method: 'post',
      path: '/api/webhooks/{webhookId}/test',
      operationId: 'testWebhook',
      tags,
      params: webhookParams,
      summary: 'Send a message of type webhook.test',
      description: 'It is signed, sent and repeated as any other message.',
      responses: {
        202: jsonResponse('The message is stored, and is sent as any other', Delivery),
        ...faults(404, 409),
      },
    },
    async (c, { params: { webhookId } }) => {
      const delivery = await testWebhook(c.var.services, await webhookOf(c, webhookId));
      return c.json(success('Message accepted', toDeliveryView(delivery)), 202);
    },
  );
  defineRoute(
    api,
    {
      method: 'get',
      path: '/api/webhooks/{webhookId}/deliveries',
      operationId: 'listDeliveries',
      tags,
      params: webhookParams,
      summary: 'Messages to a webhook, the latest event first',
      description:
        'With their attempts, the latest answer of the receiver, and when the next attempt is due. They are kept for some days.',
      query: z.object({
        ...pageQuery({ max: MAX_PAGE_LIMIT, defaultLimit: 20 }),
        status: queryEnum(DELIVERY_STATUSES),
      }),
      responses: { 200: jsonResponse('A page of deliveries', DeliveryList), ...faults(404) },
    },
    async (c, { params: { webhookId }, query: { cursor, limit, status } }) => {
      const { database, cursors } = c.var.services;
      const { _id } = await webhookOf(c, webhookId);
      const place: ListPlace = { list: `deliveries to ${_id}`, filter: [status ?? ''] };
      const after = await cursors.decode(c.var.scope, place, cursor);
      const { deliveries, total, next } = await listDeliveries(database, _id, status, { after, limit });
      const following = await cursors.encode(c.var.scope, place, next);
      return c.json(
        success(totalText(total, 'delivery', 'deliveries'), {
          results: deliveries.map(toDeliveryView),
          pagination: paginationOf(total, following),
        }),
      );
    },
  );
  defineRoute(
    api,
    {
      method: 'post',
      path: '/api/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver',
      operationId: 'redeliver',
      tags,
      params: webhookParams.extend({ deliveryId: z.string() }),
      summary: 'Send a message again, as if for the first time',
      description: 'Whatever became of it, and with the same `webhook-id`.',
      responses: { 202: jsonResponse('The message is sent again', Delivery), ...faults(404, 409) },
    },
    async (c, { params: { webhookId, deliveryId } }) => {
      const delivery = await redeliverMessage(c.var.services, await webhookOf(c, webhookId), deliveryId);
      if (delivery === null) throw notFound(`there is no delivery "${deliveryId}"`);
      return c.json(success('Message accepted', toDeliveryView(delivery)), 202);
    },
  );
}
